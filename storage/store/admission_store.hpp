// The store during admission: the reads before a client is admitted, and the record of its attempt.
// These reads never wait behind a read of the API or a merge.
//
// Any thread.
#pragma once

#include <memory>
#include <string>

#include "session/transcript/spill.hpp"
#include "session/transcript/usage.hpp"
#include "storage/store/attempt.hpp"
#include "storage/store/call.hpp"
#include "storage/store/token_store.hpp"

namespace verbatim::store {

class AdmissionStore {
 public:
  virtual ~AdmissionStore() = default;

  /// Like TokenStore::read_standing().
  virtual void judge_token(TokenUse use, TokenClock clock, Done<TokenStanding> done) = 0;
  /// Sums the usage of this user's attempts that began in [from, to) and have ended.
  virtual void read_usage(std::string user, TimeMs from, TimeMs to,
                          Done<transcript::Usage> done) = 0;

  /// Records that an open token is used for this session.
  virtual void note_token_use(std::string token_id, std::string session_id, Done<> done) = 0;
  /// Opens the next attempt of a session. not_found if the session belongs to another user.
  virtual void open_attempt(AttemptSpec spec, Done<OpenedAttempt> done) = 0;
  /// A new spill file, which keeps the older items of one long conversation.
  virtual std::unique_ptr<transcript::Spill> new_spill() = 0;
};

}  // namespace verbatim::store
