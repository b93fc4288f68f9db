#include "session/session_recorder.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "base/base64.hpp"

namespace verbatim::session {

using transcript::AudioTrack;

SessionRecorder::SessionRecorder(std::shared_ptr<AudioSink> sink, std::int64_t attempt_began_ms)
    : sink_(std::move(sink)),
      began_ms_(attempt_began_ms),
      placement_(sink_->begins_at(AudioTrack::user), sink_->begins_at(AudioTrack::assistant)) {}

std::int64_t SessionRecorder::since_began(Moment now) const {
  return std::max<std::int64_t>(0, now.mono_ms - began_ms_);
}

std::int64_t SessionRecorder::write(AudioTrack track, std::string_view base64, Moment now,
                                    Runs& changed) {
  if (!sink_ || base64.empty()) return 0;
  std::string bytes;
  bytes.reserve(base64.size() / 4 * 3);
  if (!decode_base64(base64, bytes)) return 0;  // the provider refuses it too
  if (sink_->append(track, bytes)) return static_cast<std::int64_t>(bytes.size());
  sink_.reset();
  changed = placement_.stopped(since_began(now));
  return 0;
}

SessionRecorder::Runs SessionRecorder::client_audio(std::string_view base64,
                                                    const transcript::AudioFormat& format,
                                                    Moment now) {
  Runs changed;
  const std::int64_t bytes = write(AudioTrack::user, base64, now, changed);
  return bytes == 0 ? changed : placement_.user_audio(bytes, format, since_began(now));
}

SessionRecorder::Runs SessionRecorder::answer_audio(const transcript::AudioDelta& audio,
                                                    std::string_view base64,
                                                    const transcript::AudioFormat& format,
                                                    const Way& way, Moment now) {
  Runs changed;
  const std::int64_t bytes = write(AudioTrack::assistant, base64, now, changed);
  if (bytes == 0) return changed;
  return placement_.answer_audio(audio.item_id, bytes, format, way.received_us, way.attached,
                                 since_began(now));
}

SessionRecorder::Runs SessionRecorder::sent(std::int64_t received_us, Moment now) {
  return placement_.sent(received_us, since_began(now));
}

SessionRecorder::Runs SessionRecorder::see(const transcript::Event& event) {
  if (const auto* speech = std::get_if<transcript::SpeechStarted>(&event.body)) {
    placement_.speech_started(speech->item_id, speech->audio_start_ms);
  } else if (const auto* ended = std::get_if<transcript::SpeechStopped>(&event.body)) {
    return placement_.speech_stopped(ended->item_id, ended->audio_end_ms);
  } else if (const auto* placed = std::get_if<transcript::ItemPlaced>(&event.body)) {
    if (placed->committed) return placement_.committed(placed->item.id);
  } else if (std::holds_alternative<transcript::BufferCleared>(event.body)) {
    placement_.cleared();
  } else if (const auto* cut = std::get_if<transcript::ItemTruncated>(&event.body)) {
    return placement_.truncated(cut->item_id, cut->audio_end_ms);
  } else if (std::holds_alternative<transcript::UpstreamOpened>(event.body)) {
    // The first connection gets all audio, also what the client sent before it was open.
    if (std::exchange(upstream_opened_, true)) placement_.upstream_opened();
  }
  return {};
}

}  // namespace verbatim::session
