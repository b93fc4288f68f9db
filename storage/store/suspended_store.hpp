// Attempts that an earlier process has suspended, so that this one may continue them.
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
  TimeMs suspended_at = 0;
  std::string settings_json;  ///< the provider's session object in force
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

  /// Makes the session's suspended attempt live again. nullopt if there is none, if it was
  /// suspended earlier than asked, or if it is another user's.
  virtual void resume_attempt(ResumeRequest request, Done<std::optional<ResumedAttempt>> done) = 0;
  /// The session's suspended attempt; nullopt: there is none.
  virtual void find_suspended(std::string session_id,
                              Done<std::optional<SuspendedAttempt>> done) = 0;
  /// Suspended at this time or earlier; oldest first.
  virtual void suspended_before(TimeMs time, std::size_t limit,
                                Done<std::vector<SuspendedAttempt>> done) = 0;
  /// The ending with which transcript::Journal::close() may end a suspended attempt: open turns end
  /// `at`, the attempt with its last event.
  virtual void ending_of(transcript::AttemptId attempt, transcript::CloseReason reason, TimeMs at,
                         Done<transcript::Ending> done) = 0;
};

}  // namespace verbatim::store
