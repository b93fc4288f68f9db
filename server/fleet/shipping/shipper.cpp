#include "server/fleet/shipping/shipper.hpp"

#include <utility>

#include "base/thread_name.hpp"
#include "server/fleet/shipping/shipper_loop.hpp"

namespace verbatim::shipping {

Shipper::Shipper(ShipperParts parts, std::unique_ptr<store::Shipping> shipping)
    : loop_(std::make_unique<Loop>(std::move(parts), std::move(shipping), state_)) {}

Shipper::~Shipper() { finish(std::chrono::milliseconds(0)); }

void Shipper::start() {
  thread_ = std::thread([this] {
    name_this_thread("fleet");
    loop_->run();
  });
}

void Shipper::finish(std::chrono::milliseconds patience) {
  if (!thread_.joinable()) return;
  loop_->finish(patience);
  thread_.join();
  loop_.reset();  // the store may be closed now
}

}  // namespace verbatim::shipping
