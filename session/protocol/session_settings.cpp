#include "session/protocol/session_settings.hpp"

#include <utility>

#include "base/json/view.hpp"

namespace verbatim::protocol {

using json::Kind;
using json::View;

SessionSettings SessionSettings::from_json(std::string text) {
  SessionSettings settings;
  const View view = View::of(text);
  if (const auto hides = view["hides_transcription"].boolean())
    settings.hides_transcription_ = *hides;
  const View inside = view["session"];
  if (inside.is(Kind::object)) {
    settings.json_ = std::string(inside.raw());
  } else if (view.is(Kind::object)) {
    settings.json_ = std::move(text);
  }
  return settings;
}

std::string SessionSettings::to_json() const {
  if (json_.empty() || !hides_transcription_) return json_;
  const char* const hides = *hides_transcription_ ? "true" : "false";
  return std::string(R"({"hides_transcription":)") + hides + R"(,"session":)" + json_ + "}";
}

void SessionSettings::see(std::string_view session_json) {
  if (session_json == json_ || !View::of(session_json).is(Kind::object)) return;
  json_ = std::string(session_json);
  changed_ = true;
}

}  // namespace verbatim::protocol
