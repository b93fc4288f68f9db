// How a relay enters the fleet's database: the row of this start in `node`, and the watermark from
// which it goes on.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "server/fleet/shipping/batch.hpp"
#include "server/fleet/shipping/database_names.hpp"
#include "storage/store/shipping_store.hpp"

namespace verbatim::shipping {

struct NodeFacts {
  std::string url;      ///< fleet.peer_url
  std::string version;  ///< of the program
  std::chrono::milliseconds lease_ttl{};
};

struct Registered {
  Sender sender;
  transcript::Sequence shipped = 0;  ///< read from the database, never from memory
  bool is_new = false;               ///< this connection has made the row
  std::int64_t fenced = 0;           ///< the incarnation that this one has fenced; 0: none
  bool was_fenced = false;           ///< another node has fenced this process's last incarnation
  bool renewed = false;              ///< the store got a new name: it is a restored backup
};

/// Enters the database, or finds the row that an earlier connection of this process has made.
///
/// A store that the database knows under this name is fenced first: a second process with a copy of
/// the data directory can write no more. A store that does not continue what the database has (a
/// restored backup) gets a new name.
/// Error `fenced`: a newer process with this name has taken the place of this one.
DatabaseResult<Registered> register_node(Connection& connection, store::Shipping& shipping,
                                         const NodeFacts& facts,
                                         const std::optional<Sender>& known);

}  // namespace verbatim::shipping
