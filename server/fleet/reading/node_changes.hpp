// Decisions of an operator about a node that is gone (`verbatim fleet fence` and `forget`).
//
// On the thread of the connection.
#pragma once

#include <cstdint>
#include <string>

#include "server/fleet/database/connection.hpp"
#include "server/relay/fleet_nodes.hpp"

namespace verbatim::reading {

/// Marks the node as dead: nothing more of this start of it reaches the database, and other nodes
/// take its sessions. False: it was so already.
database::DatabaseResult<bool> fence_node(database::Connection& connection,
                                          std::int64_t incarnation);

/// Gives up what the node had not shipped: transcripts no longer wait for it. False: it was so
/// already.
database::DatabaseResult<bool> forget_node(database::Connection& connection,
                                           const std::string& node_id);

}  // namespace verbatim::reading
