#include "session/usage_meter.hpp"

#include "base/json/view.hpp"
#include "session/protocol/audio_size.hpp"

namespace verbatim::session {

using json::Kind;
using json::View;

void Meter::resume(const AudioMetered& counted) {
  input_us_ = counted.input_ms * 1000;
  output_us_ = counted.output_ms * 1000;
  written_ = counted;
}

void Meter::client_sent(std::string_view type, std::string_view message) {
  std::int64_t bytes = 0;
  if (type == "input_audio_buffer.append") {
    bytes = decoded_length(json::Object::begun(message)["audio"].between_quotes());
  } else if (type == "conversation.item.create") {
    for (json::Elements parts(View::of(message)["item"]["content"]); parts.next();)
      bytes += decoded_length(parts.value()["audio"].between_quotes());
  } else if (type == "session.update" && !provider_named_formats_) {
    take_formats(message);
  }
  input_us_ += bytes * 1'000'000 / input_bytes_per_second_;
}

void Meter::configured(std::string_view type, std::string_view message) {
  if (type != "session.created" && type != "session.updated") return;
  const View session = View::of(message)["session"];
  provider_named_formats_ = provider_named_formats_ || session["audio"].exists() ||
                            session["output_audio_format"].exists();
  take_formats(message);
}

/// Takes the formats that the message names; the others stay.
void Meter::take_formats(std::string_view message) {
  const View session = View::of(message)["session"];
  const View input = session["audio"]["input"]["format"];
  const View output = session["audio"]["output"]["format"];
  const View old_input = session["input_audio_format"];
  const View old_output = session["output_audio_format"];
  if (input.exists() || old_input.exists())
    input_bytes_per_second_ = bytes_per_second(input.exists() ? input : old_input);
  if (output.exists() || old_output.exists())
    output_bytes_per_second_ = bytes_per_second(output.exists() ? output : old_output);
}

void Meter::provider_sent(const AudioDelta& audio) {
  output_us_ += audio.bytes * 1'000'000 / output_bytes_per_second_;
}

std::optional<AudioMetered> Meter::unwritten() {
  const AudioMetered now = audio();
  if (now == written_) return std::nullopt;
  written_ = now;
  return now;
}

std::optional<Event> read_transcription_usage(std::string_view type, std::string_view message) {
  if (type != "conversation.item.input_audio_transcription.completed") return std::nullopt;
  const View view = View::of(message);
  const View usage = view["usage"];
  TranscriptionUsage used;
  used.item_id = view["item_id"].string_or_empty();
  used.content_index = static_cast<int>(view["content_index"].integer().value_or(0));
  // The usage is stored unchanged inside a JSON list, so it must be valid JSON.
  if (used.item_id.empty() || !usage.is(Kind::object) || json::check(usage.raw()))
    return std::nullopt;
  used.usage = usage.raw();
  return Event{{}, std::move(used)};  // repeats are recognised by the item id
}

}  // namespace verbatim::session
