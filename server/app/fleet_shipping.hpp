// The shipping to the fleet's database, from the beginning of the program to its end. Without
// fleet.url it does nothing.
//
// On the control thread, unless stated otherwise. Must outlive the workers.
#pragma once

#include <chrono>
#include <memory>

#include "config/settings.hpp"
#include "server/app/credentials.hpp"
#include "server/relay/peers.hpp"
#include "server/relay/session_eraser.hpp"
#include "server/relay/session_registry.hpp"
#include "server/relay/storage_monitor.hpp"
#include "server/relay/suspended_sessions.hpp"
#include "session/transcript/journal.hpp"
#include "storage/store/store.hpp"

namespace verbatim::shipping {
class ShippingState;
}  // namespace verbatim::shipping

namespace verbatim::app {

/// Throws config::ConfigError if fleet.url is set and the program was built without the fleet.
void require_fleet_support(const config::Settings& settings);

/// The parts that the directory of a fleet uses. They must outlive it.
struct DirectoryParts {
  const config::Fleet& settings;
  store::Store& store;
  relay::Registry& registry;
  relay::SuspendedSessions& suspended;
  relay::Erasure& erasure;
  Credentials& credentials;
  Log& log;
};

class FleetShipping {
 public:
  FleetShipping();
  ~FleetShipping();
  FleetShipping(const FleetShipping&) = delete;
  FleetShipping& operator=(const FleetShipping&) = delete;

  /// Begins to ship. The references must outlive this object, or finish().
  /// `journal`: of the conversations. `watch` is asked whether new sessions are refused.
  /// Returns the journal that conversations use: with fleet.ship = "before" one that waits for the
  /// database too.
  transcript::Journal& begin(const config::Settings& settings, store::Store& store,
                             transcript::Journal& journal, relay::StorageWatch& watch,
                             relay::Registry& registry, Log& log);
  /// The directory of sessions in the database; null: there is no fleet. It also takes sessions of
  /// other nodes over, gives up those that others have taken, and follows what other nodes erase
  /// and revoke. This object must outlive it.
  std::shared_ptr<relay::SessionDirectory> directory(const DirectoryParts& of);
  /// Any thread. Null: nothing is shipped.
  const shipping::ShippingState* state() const;
  /// Ships the rest, for at most `patience`. The store must still work.
  void finish(std::chrono::milliseconds patience);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;  ///< null: nothing is shipped
};

}  // namespace verbatim::app
