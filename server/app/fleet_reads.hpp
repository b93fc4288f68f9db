// The sessions that the fleet's database has, for the API, from the beginning of the program to its
// end. Without fleet.url there is nothing.
//
// On the control thread, unless stated otherwise.
#pragma once

#include <memory>

#include "config/settings.hpp"
#include "server/api/shared_store.hpp"
#include "server/app/fleet_shipping.hpp"
#include "server/net/async.hpp"
#include "storage/store/session_image.hpp"
#include "storage/store/store.hpp"

namespace verbatim::app {

class FleetReads {
 public:
  FleetReads();
  ~FleetReads();
  FleetReads(const FleetReads&) = delete;
  FleetReads& operator=(const FleetReads&) = delete;

  /// The references must outlive this object, or finish().
  void begin(const config::Settings& settings, store::Store& store, store::OpenImage open_image,
             const FleetShipping& shipping, Log& log);
  /// Null: there is no fleet.
  const api::SharedStore* shared() const;
  /// The sessions for the API's own calls: lists have those of all nodes. `own`: this node's.
  store::SessionStore& sessions(store::SessionStore& own) const;
  /// Takes copies that other nodes kept for this one, until the executor ends.
  void take_left_copies(net::Executor executor);
  /// All workers have ended: what still waits is answered, before their executors are gone.
  void finish();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;  ///< null: there is no fleet
};

}  // namespace verbatim::app
