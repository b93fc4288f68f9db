// Attempts of an earlier process that this one may continue: it has suspended them, or it was
// killed.
//
// Any thread. These reads never wait behind a read of the API or a merge.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "session/transcript/journal.hpp"
#include "session/transcript/transcript.hpp"
#include "storage/store/attempt.hpp"
#include "storage/store/call.hpp"

namespace verbatim::store {

struct SuspendedAttempt {
  transcript::AttemptId attempt = 0;
  std::string session_id;
  std::string user;
  int number = 0;
  std::string model;
  TimeMs started_at = 0;
  /// For a recovering attempt, the time at which a start found it.
  TimeMs suspended_at = 0;
  bool recovering = false;    ///< its process was killed
  std::string settings_json;  ///< the provider's session object in force; empty: in the journal
};

/// An attempt that recovery has left open for its client.
struct WaitingAttempt {
  std::string session_id;
  std::string user;
  bool recovering = false;  ///< its process was killed; false: it was suspended in order
};

struct ResumeRequest {
  std::string session_id;
  std::string user;
  TimeMs suspended_after = 0;
  std::size_t items_in_memory = 0;  ///< older items go to a spill
};
struct ResumedAttempt {
  OpenedAttempt opened;
  transcript::Transcript transcript;
  std::string settings_json;
};

class SuspendedStore {
 public:
  virtual ~SuspendedStore() = default;

  /// Makes the session's suspended or recovering attempt live again. nullopt if there is none, if
  /// it was suspended earlier than asked, or if it is another user's.
  virtual void resume_attempt(ResumeRequest request, Done<std::optional<ResumedAttempt>> done) = 0;
  /// The session's suspended or recovering attempt; nullopt: there is none.
  virtual void find_suspended(std::string session_id,
                              Done<std::optional<SuspendedAttempt>> done) = 0;
  /// Suspended at this time or earlier; oldest first.
  virtual void suspended_before(TimeMs time, std::size_t limit,
                                Done<std::vector<SuspendedAttempt>> done) = 0;
  /// The ending with which transcript::Journal::close() may end such an attempt. Open turns end
  /// `at`; nullopt: with the last event, as the attempt does.
  virtual void ending_of(transcript::AttemptId attempt, transcript::CloseReason reason,
                         std::optional<TimeMs> at, Done<transcript::Ending> done) = 0;
};

}  // namespace verbatim::store
