// RealtimeSession: the recording of its audio.
#include <algorithm>
#include <string>
#include <utility>

#include "session/realtime_session.hpp"

namespace verbatim::session {

void RealtimeSession::begin_recording(Moment now) {
  const std::int64_t age_ms =
      identity_.started_at == 0 ? 0 : std::max<std::int64_t>(0, now.wall - identity_.started_at);
  recorder_ = std::make_unique<SessionRecorder>(options_.recording, now.mono_ms - age_ms);
}

bool RealtimeSession::keep_runs(AudioPlacement::Runs runs, Moment now) {
  for (transcript::AudioPlaced& run : runs)
    if (!record({{}, std::move(run)}, now)) return false;
  return true;
}

void RealtimeSession::record_client_audio(std::string_view message, Moment now) {
  std::string room;
  keep_runs(recorder_->client_audio(provider().audio_in(message, room), meter_.input_format(), now),
            now);
}

void RealtimeSession::record_answer_audio(const transcript::AudioDelta& audio,
                                          const protocol::Message& message, Moment now) {
  std::string room;
  keep_runs(recorder_->answer_audio(audio, provider().audio_in(message.bytes, room),
                                    meter_.output_format(),
                                    {message.received_us, client_.attached()}, now),
            now);
}

void RealtimeSession::recorded_audio_sent(std::int64_t received_us, Moment now) {
  if (recorder_ && !ended()) keep_runs(recorder_->sent(received_us, now), now);
}

void RealtimeSession::end_recording(Moment now) {
  const auto recorder = std::exchange(recorder_, nullptr);
  if (!recorder) return;
  for (transcript::AudioPlaced& run : recorder->finish()) {
    transcript::Event event{{}, std::move(run)};
    journal_.record(event, transcript_, now.wall, false);
  }
}

}  // namespace verbatim::session
