#include "session/protocol/replay.hpp"

#include <algorithm>

namespace verbatim::protocol {
namespace {

constexpr TimeMs longest_ms = 100LL * 365 * 86'400'000;

std::optional<transcript::Event> read(const RecordedEvent& recorded,
                                      const ProviderDialect& provider) {
  return recorded.direction == Direction::to_client ? provider.read_server(recorded.event).event
                                                    : provider.read_client(recorded.event);
}

/// The first session id that the provider sent.
std::string provider_session_id(const Recording& recording, const ProviderDialect& provider) {
  for (const RecordedEvent& recorded : recording.events) {
    if (recorded.direction != Direction::to_client) continue;
    const auto event = read(recorded, provider);
    if (!event) continue;
    if (const auto* opened = std::get_if<transcript::UpstreamOpened>(&event->body))
      return opened->provider_session_id;
  }
  return {};
}

}  // namespace

TimeMs play(const Recording& recording, transcript::Transcript& transcript,
            const ProviderDialect& provider) {
  TimeMs now = 0;
  for (const RecordedEvent& recorded : recording.events) {
    // Some recorders write no times, and a file may contain any number.
    now = std::clamp(recorded.t_ms.value_or(now), now, longest_ms);
    if (const auto event = read(recorded, provider)) transcript.apply(*event, now);
  }
  return now;
}

transcript::TranscriptView replay(const Recording& recording, const ProviderDialect& provider) {
  transcript::Transcript transcript;
  const TimeMs end = play(recording, transcript, provider);
  transcript::TranscriptView view;
  view.session_id = provider_session_id(recording, provider);
  view.status = transcript::SessionStatus::final;
  view.started_at = 0;
  view.ended_at = end;
  for (const transcript::AnswerAudio& sent : transcript.unrecorded_audio())
    transcript.apply({{}, sent}, end);
  view.show(transcript::merge(transcript::finalise(transcript, end), {}));
  return view;
}

}  // namespace verbatim::protocol
