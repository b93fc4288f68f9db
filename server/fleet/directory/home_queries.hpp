// The statements that find and make the homes of sessions.
//
// A session belongs to the data directory (node_id) that wrote it or has claimed it first; its home
// is the latest start of a process on that directory. A claim covers the time until the session's
// own row is there, which comes with the next shipment.
//
// On the thread of the connection.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "server/fleet/database/connection.hpp"
#include "server/relay/peers.hpp"

namespace verbatim::directory {

using Homes = std::unordered_map<std::string, relay::SessionHome>;

/// The homes of these sessions; one that is missing is nowhere. Valid UTF-8 without NUL.
/// `incarnation`: this node's.
database::DatabaseResult<Homes> find_homes(database::Connection& connection,
                                           const std::vector<std::string>& session_ids,
                                           std::int64_t incarnation);

/// Makes this node the home of those sessions that are nowhere. Of several nodes at once, one wins.
/// Not of one that was erased, before this node has confirmed that it has no copy.
database::DatabaseResult<> claim(database::Connection& connection,
                                 const std::vector<std::string>& session_ids,
                                 std::int64_t incarnation);

/// Deletes claims that are no longer needed.
database::DatabaseResult<> delete_old_claims(database::Connection& connection);

}  // namespace verbatim::directory
