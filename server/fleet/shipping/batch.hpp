// One shipment as the statements of one transaction.
//
// Repeated, it changes nothing. A relay that was fenced undoes its own batch: the last statement
// sets node.shipped to null, which the database refuses. The same happens if an earlier batch is
// missing, so that no batch can leave a hole behind it.
#pragma once

#include <cstdint>
#include <string>

#include "server/fleet/shipping/database_names.hpp"
#include "storage/store/shipping_store.hpp"

namespace verbatim::shipping {

/// The relay that sends.
struct Sender {
  std::string node_id;
  std::string run;
  std::int64_t incarnation = 0;
  std::chrono::milliseconds lease_ttl{};
  std::int64_t lag_ms = 0;  ///< of what it has not shipped, for operators
};

/// Sends the rows of a shipment. Nothing is committed before send_guard() and sync().
DatabaseResult<> send_rows(Connection& to, const Sender& sender, const store::Shipment& shipment);

/// Moves the watermark from at least `after` to `upto`, and renews the lease. Its result is the one
/// row of the sender: synchronous_commit, synchronous_standby_names.
DatabaseResult<> send_guard(Connection& to, const Sender& sender, transcript::Sequence after,
                            transcript::Sequence upto);

/// Gives this relay's sessions to the others: everything is shipped, and the process ends.
DatabaseResult<> send_leave(Connection& to, const Sender& sender);

}  // namespace verbatim::shipping
