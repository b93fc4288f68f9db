// Sessions that move between the stores of a fleet's nodes: one node takes over a session of
// another, and that one later gives up what it still has of it.
//
// Any thread. Every call goes through the journal's writer or a reader of admission, so none waits
// behind a read of the API or a merge.
#pragma once

#include <string>
#include <vector>

#include "session/transcript/journal.hpp"
#include "session/transcript/merge/copy.hpp"
#include "storage/store/call.hpp"
#include "storage/store/shipping_store.hpp"

namespace verbatim::store {

/// A session as the fleet's database has it.
struct MovedSession {
  /// One session, with everything of it; without a session row: its client tokens alone. Its
  /// numbers are those of the node that wrote it.
  Shipment content;
  /// The time from which the open attempt waits for its client, by this node's clock.
  TimeMs waits_since = 0;
  /// The other node may have more of the open attempt than the database.
  bool tail_pending = false;
};

/// The turns of an attempt that this store has, and the database does not.
struct Tail {
  int attempt = 0;
  std::vector<transcript::CopyTurn> turns;
};

struct OpenSession {
  std::string id;
  std::string user;
  friend bool operator==(const OpenSession&, const OpenSession&) = default;
};

/// The part of a session that a store has.
struct StoredSession {
  std::string id;
  bool tokens_alone = false;  ///< client tokens that were made for it, and nothing else
  friend bool operator==(const StoredSession&, const StoredSession&) = default;
};

class MovingStore {
 public:
  virtual ~MovingStore() = default;

  /// Writes the session. Its open attempt waits for its client, as after a restart: one that was
  /// suspended stays so, any other is `recovering`. Earlier rows of the session are replaced.
  /// False: this store has an open attempt of the session, and nothing is changed.
  virtual void import_session(MovedSession session, Done<bool> done) = 0;
  /// Removes the session from this store alone: another node has it.
  virtual void forget_session(std::string id, Done<> done) = 0;
  /// Sessions with an attempt that a relay has begun and that has not ended.
  virtual void open_sessions(Done<std::vector<OpenSession>> done) = 0;
  /// Those of these sessions of which this store has anything.
  virtual void find_stored(std::vector<std::string> ids, Done<std::vector<StoredSession>> done) = 0;
  /// The turns that came behind the number `shipped`, each with the turn before it. Attempts
  /// without such turns are left out.
  virtual void tails_of(std::string id, transcript::Sequence shipped,
                        Done<std::vector<Tail>> done) = 0;
  /// Attempts of which another node may have more.
  virtual void pending_tails(Done<std::vector<AttemptName>> done) = 0;
  /// The other node has sent its tail, or is no longer waited for.
  virtual void end_pending_tail(AttemptName attempt, Done<> done) = 0;
};

}  // namespace verbatim::store
