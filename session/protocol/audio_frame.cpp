#include "session/protocol/audio_frame.hpp"

#include "base/base64.hpp"
#include "base/json/view.hpp"
#include "base/json/writer.hpp"
#include "session/protocol/envelope.hpp"

namespace verbatim::protocol {

namespace {

constexpr std::size_t head_max = 0xFFFF;

}  // namespace

std::optional<std::string> audio_frame(std::string_view event, const ProviderDialect& provider) {
  const std::string_view member = provider.audio_member(peek_type(event));
  if (member.empty()) return std::nullopt;
  json::ObjectWriter head;
  std::optional<std::string_view> audio;
  for (json::Members members(json::View::of(event)); members.next();) {
    if (members.key() != member) {
      head.add(members.key(), members.value().raw());
    } else if (!audio && members.value().is(json::Kind::string)) {
      audio = members.value().between_quotes();
    } else {
      return std::nullopt;
    }
  }
  const std::string text = head.text();
  if (!audio || text.size() > head_max) return std::nullopt;
  std::string frame;
  frame.reserve(2 + text.size() + audio->size() / 4 * 3);
  frame += static_cast<char>(text.size() >> 8U);
  frame += static_cast<char>(text.size() & 0xFFU);
  frame += text;
  if (!decode_base64(*audio, frame)) return std::nullopt;
  return frame;
}

std::string with_audio_frames(std::string session_event) {
  if (peek_type(session_event) == "verbatim.session" && session_event.ends_with('}')) {
    session_event.pop_back();
    session_event += R"(,"audio":"binary"})";
  }
  return session_event;
}

}  // namespace verbatim::protocol
