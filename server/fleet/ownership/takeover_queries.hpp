// The statements by which sessions move between nodes. Every one is portable SQL of one round trip.
//
// On the thread of the connection. Incarnations name nodes: `own` is this node's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/fleet/database/connection.hpp"
#include "server/fleet/ownership/takeover.hpp"
#include "session/transcript/journal.hpp"
#include "storage/store/shipping_store.hpp"

namespace verbatim::ownership {

/// The node of that incarnation; nullopt: there is no such row.
database::DatabaseResult<std::optional<OtherNode>> look_at(database::Connection& connection,
                                                           std::int64_t incarnation);

struct Fenced {
  std::string node_id;
  transcript::Sequence shipped = 0;  ///< its watermark: nothing of it comes later
  bool left = false;                 ///< it has left in order, and has shipped everything
  bool forgotten = false;            ///< an operator has given it up: it never comes back
  bool expects_tail = true;          ///< it may have more, and no operator has given that up
};
/// Fences the node if its lease is over, and holds its row until the transaction ends: it can
/// neither ship nor register meanwhile. nullopt: it holds its lease, or this node was fenced.
database::DatabaseResult<std::optional<Fenced>> fence(database::Connection& connection,
                                                      std::int64_t incarnation, std::int64_t own);

/// Makes this node the home of a session of the fenced node. False: it is another node's by now, or
/// that node has registered again. In the transaction of fence().
database::DatabaseResult<bool> take(database::Connection& connection, const std::string& session_id,
                                    const Fenced& from, std::int64_t own);

/// Erasures that one call of find_erasures() returns at most.
inline constexpr std::int64_t erasures_at_once = 500;
/// Sessions that were erased, and of which this node has not confirmed that it has no copy: the
/// oldest ones. `all`: else the erasures of the last minutes.
database::DatabaseResult<std::vector<std::string>> find_erasures(database::Connection& connection,
                                                                 bool all, std::int64_t own);
/// This node has no copy of these sessions.
database::DatabaseResult<> confirm_erased(database::Connection& connection,
                                          const std::vector<std::string>& session_ids,
                                          std::int64_t own);

/// A session that this node has, and whose home is another one by now.
struct Lost {
  std::string session_id;
  transcript::Sequence shipped = 0;  ///< this node's watermark when it lost it
};
database::DatabaseResult<std::vector<Lost>> find_lost(database::Connection& connection,
                                                      const std::vector<std::string>& session_ids,
                                                      std::int64_t own);

/// The turns of a lost attempt that a node had not shipped, for the session's home.
struct TailRow {
  store::AttemptName attempt;
  std::string node_id;  ///< of the node that lost it
  std::string turns;    ///< transcript::encode_turns()
};
/// Leaves the tails of a lost session, and notes that this node has nothing else of it.
database::DatabaseResult<> leave_tails(database::Connection& connection, const Lost& lost,
                                       const std::vector<TailRow>& tails, std::int64_t own);
/// Tails that other nodes have left of this node's sessions.
database::DatabaseResult<std::vector<TailRow>> find_tails(database::Connection& connection,
                                                          std::int64_t own);
database::DatabaseResult<> remove_tail(database::Connection& connection, const TailRow& tail);
/// The attempts among these of which another node may have more, or has left more.
database::DatabaseResult<std::vector<store::AttemptName>> find_pending(
    database::Connection& connection, const std::vector<store::AttemptName>& attempts);

/// An open attempt of a node that counts as dead.
struct Orphan {
  std::string session_id;
  std::int64_t incarnation = 0;
};
database::DatabaseResult<std::vector<Orphan>> find_orphans(database::Connection& connection,
                                                           std::chrono::milliseconds dead_after);

}  // namespace verbatim::ownership
