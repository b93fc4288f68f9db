// Decides what happens to conversations while the database confirms nothing, with fleet.ship =
// "before".
//
// No clock of its own; it sets the state and logs. The shipper's thread; the caller
// passes the time.
#pragma once

#include <chrono>
#include <optional>

#include "server/fleet/shipping/shipper.hpp"

namespace verbatim::shipping {

class Outage {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Outage(const ShipperParts& parts, ShippingState& state) : parts_(parts), state_(state) {}

  /// Call it often. `connected`: batches are confirmed now. `waiting`: something durable here is
  /// not confirmed.
  void look(Time now, bool connected, bool waiting);
  /// A batch was confirmed. `all`: nothing durable here is left to confirm.
  void confirmed(Time now, bool all);
  /// Why new sessions are refused; empty: they are not.
  std::string refusal(Trouble trouble) const;

 private:
  void begin(std::chrono::milliseconds waited);

  const ShipperParts& parts_;
  ShippingState& state_;
  std::optional<Time> since_;  ///< nothing was confirmed since then, and something should be
  bool stalled_ = false;
  bool given_up_ = false;
};

}  // namespace verbatim::shipping
