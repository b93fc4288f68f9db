// The nodes of a fleet as its database has them, for operators.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "storage/store/call.hpp"

namespace verbatim::relay {

/// The latest start of a node. Times and durations are by the database's clock.
struct FleetNode {
  std::string node_id;  ///< of its data directory
  std::int64_t incarnation = 0;
  std::string url;  ///< its fleet.peer_url; may be empty
  std::string version;
  int schema = 0;                         ///< of the database, as this node knows it
  bool alive = false;                     ///< not fenced
  std::optional<std::int64_t> fenced_by;  ///< incarnation; 0: an operator
  bool forgotten = false;                 ///< an operator has given up what it had not shipped
  TimeMs started_at = 0;
  std::int64_t lease_ms = 0;  ///< until its lease is over; less than 0: since then
  std::int64_t lag_ms = 0;  ///< age of the oldest event that it had not shipped at its last renewal
  std::int64_t shipped = 0;
  std::int64_t sessions = 0;     ///< that have not ended
  std::int64_t left_copies = 0;  ///< posts that wait for it
};

struct Fleet {
  std::vector<FleetNode> nodes;  ///< oldest first
  int schema = 0;                ///< of the database
};

class FleetNodes {
 public:
  virtual ~FleetNodes() = default;
  /// Any thread. Failure::fleet_database: the database does not answer.
  virtual void read(store::Done<Fleet> done) = 0;
  /// This node's incarnation; 0: it has not registered.
  virtual std::int64_t own_incarnation() const = 0;
};

}  // namespace verbatim::relay
