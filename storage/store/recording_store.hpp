// The index of recorded audio, as an export reads it. The audio itself is in files beside the store
// (server/relay/recordings.hpp).
//
// Any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "session/transcript/event.hpp"
#include "session/transcript/session_status.hpp"
#include "storage/store/call.hpp"

namespace verbatim::store {

struct RecordedAttempt {
  int number = 0;
  transcript::SessionStatus status = transcript::SessionStatus::created;
  TimeMs started_at = 0;
  std::optional<TimeMs> ended_at;
  std::vector<transcript::AudioPlaced> runs;  ///< by track and `from`; empty: nothing was recorded
};

class RecordingStore {
 public:
  virtual ~RecordingStore() = default;
  /// `attempt`: default is the latest. nullopt if there is no such session or attempt.
  virtual void read_recording(std::string session_id, std::optional<int> attempt, ReadLabel label,
                              Done<std::optional<RecordedAttempt>> done) = 0;
};

}  // namespace verbatim::store
