#include "server/app/fleet_reads.hpp"

#ifdef VERBATIM_FLEET

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <utility>

#include "server/fleet/reading/database_store.hpp"
#include "server/fleet/reading/fleet_sessions.hpp"
#include "server/fleet/reading/left_copies.hpp"
#include "server/fleet/reading/node_list.hpp"
#include "server/fleet/shipping/shipping_state.hpp"

namespace verbatim::app {

struct FleetReads::Parts {
  Parts(const config::Settings& settings, store::Store& own, store::OpenImage open_image,
        const shipping::ShippingState& shipped, Log& log)
      : database({settings.fleet, std::move(open_image), own,
                  [&own, &shipped](std::chrono::milliseconds at_most) {
                    shipped.wait_confirmed(own.journal().durable(),
                                           std::chrono::steady_clock::now() + at_most);
                  },
                  log}),
        sessions(own, database),
        incarnation([&shipped] { return shipped.figures().incarnation; }),
        nodes(database.reader(), incarnation),
        copies(database.writer(), own, incarnation, log),
        shared{{database, database, database, database, own}, nodes} {}

  reading::DatabaseStore database;
  reading::FleetSessions sessions;
  const std::function<std::int64_t()> incarnation;
  reading::NodeList nodes;
  reading::LeftCopies copies;
  const api::SharedStore shared;
};

void FleetReads::begin(const config::Settings& settings, store::Store& store,
                       store::OpenImage open_image, const FleetShipping& shipping, Log& log) {
  if (const shipping::ShippingState* const state = shipping.state())
    parts_ = std::make_unique<Parts>(settings, store, std::move(open_image), *state, log);
}

const api::SharedStore* FleetReads::shared() const { return parts_ ? &parts_->shared : nullptr; }

store::SessionStore& FleetReads::sessions(store::SessionStore& own) const {
  return parts_ ? parts_->sessions : own;
}

void FleetReads::take_left_copies(net::Executor executor) {
  if (parts_) asio::co_spawn(executor, parts_->copies.take_always(executor), asio::detached);
}

}  // namespace verbatim::app

#else  // built without the fleet

namespace verbatim::app {

struct FleetReads::Parts {};

void FleetReads::begin(const config::Settings&, store::Store&, store::OpenImage,
                       const FleetShipping&, Log&) {}
const api::SharedStore* FleetReads::shared() const { return nullptr; }
store::SessionStore& FleetReads::sessions(store::SessionStore& own) const { return own; }
void FleetReads::take_left_copies(net::Executor) {}

}  // namespace verbatim::app

#endif

namespace verbatim::app {

FleetReads::FleetReads() = default;
FleetReads::~FleetReads() = default;
void FleetReads::finish() { parts_.reset(); }

}  // namespace verbatim::app
