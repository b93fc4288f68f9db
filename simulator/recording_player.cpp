#include "simulator/recording_player.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

#include "base/json/view.hpp"
#include "session/protocol/envelope.hpp"
#include "session/relay_events.hpp"
#include "simulator/audio_append.hpp"

namespace verbatim::simulator {

namespace {

/// True for messages outside of the recorded order: microphone audio, and a relay's own requests.
bool is_aside(std::string_view message) {
  if (is_audio_append(message)) return true;
  const auto id = verbatim::json::View::of(message)["event_id"].between_quotes();
  return id.starts_with(session::own_event_prefix);
}

}  // namespace

RecordingPlayer::RecordingPlayer(protocol::Recording recording, Pace pace, Outgoing& outgoing,
                                 std::int64_t now_ms)
    : recording_(std::move(recording)), pace_(pace), outgoing_(outgoing), from_ms_(now_ms) {
  std::erase_if(recording_.events, [](const protocol::RecordedEvent& event) {
    return event.direction == protocol::Direction::to_server && is_aside(event.event);
  });
  for (const protocol::RecordedEvent& event : recording_.events) {
    // Count only types that the recording waits for, so that a client cannot make the map grow.
    if (event.direction == protocol::Direction::to_server) {
      said_.emplace(protocol::peek_type(event.event), 0);
    }
  }
  if (!recording_.events.empty()) from_recorded_ = recording_.events.front().t_ms.value_or(0);
}

void RecordingPlayer::on_message(std::string_view message, std::int64_t now_ms) {
  const auto known = said_.find(protocol::peek_type(message));
  if (known == said_.end() || is_aside(message)) return;
  ++known->second;
  wait_for_client(now_ms);
}

void RecordingPlayer::wait_for_client(std::int64_t now_ms) {
  for (; next_ < recording_.events.size(); ++next_) {
    const protocol::RecordedEvent& event = recording_.events[next_];
    if (event.direction == protocol::Direction::to_client) return;
    const auto said = said_.find(protocol::peek_type(event.event));
    if (said->second == 0) return;
    --said->second;
    from_ms_ = std::max(from_ms_, now_ms);
    from_recorded_ = event.t_ms.value_or(from_recorded_);
  }
}

std::optional<Due> RecordingPlayer::due() const {
  if (next_ == recording_.events.size()) return std::nullopt;
  const protocol::RecordedEvent& event = recording_.events[next_];
  if (event.direction == protocol::Direction::to_server) return std::nullopt;
  constexpr std::int64_t day_ms = 86'400'000;  // limit for times in a bad file
  const std::int64_t at = event.t_ms.value_or(from_recorded_);
  const bool sane = at > from_recorded_ && at < (std::int64_t{1} << 60);
  return pace_.after(from_ms_, sane ? std::min(at - from_recorded_, day_ms) : 0);
}

void RecordingPlayer::step() {
  const protocol::RecordedEvent& event = recording_.events[next_];
  from_ms_ = due()->at_ms;
  from_recorded_ = std::max(from_recorded_, event.t_ms.value_or(from_recorded_));
  ++next_;
  outgoing_.event(event.event);
  wait_for_client(from_ms_);
}

std::optional<protocol::Recording> find_recording(const std::filesystem::path& folder,
                                                  const std::string& name) {
  // The name comes from a URL: accept only plain names that cannot leave the folder.
  const bool plain = !name.empty() && name.front() != '.' && name.find('/') == name.npos &&
                     name.find('\0') == name.npos && name.size() < 200;
  if (folder.empty() || !plain) return std::nullopt;
  const auto path = folder / (name + ".jsonl");
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file && !file.eof()) throw std::runtime_error("recording '" + name + "' cannot be read");
  auto recording = protocol::read_recording(bytes);
  if (!recording.errors.empty()) {
    throw std::runtime_error("recording '" + name + "', line " +
                             std::to_string(recording.errors.front().line) + ": " +
                             recording.errors.front().message);
  }
  return recording;
}

}  // namespace verbatim::simulator
