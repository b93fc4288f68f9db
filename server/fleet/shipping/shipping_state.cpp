#include "server/fleet/shipping/shipping_state.hpp"

#include <algorithm>
#include <utility>

namespace verbatim::shipping {

bool ShippingState::confirm(transcript::Sequence upto) {
  if (upto <= confirmed()) return false;  // one thread writes
  confirmed_.store(upto, std::memory_order_release);
  {
    const std::lock_guard lock(mutex_);  // a thread that has read the old value is waiting by now
  }
  moved_.notify_all();
  return true;
}

void ShippingState::wait_confirmed(transcript::Sequence upto,
                                   std::chrono::steady_clock::time_point until) const {
  std::unique_lock lock(mutex_);
  moved_.wait_until(lock, until, [&] { return confirmed() >= upto || !figures_.connected; });
}

ShippingFigures ShippingState::figures() const {
  const std::lock_guard lock(mutex_);
  return figures_;
}

void ShippingState::count_confirm(double seconds) {
  const auto bucket = static_cast<std::size_t>(
      std::lower_bound(std::begin(confirm_bounds), std::end(confirm_bounds), seconds) -
      std::begin(confirm_bounds));
  change([&](ShippingFigures& figures) {
    ++figures.confirms[bucket];
    figures.confirm_seconds += seconds;
  });
}

std::string ShippingState::refusal() const {
  const std::lock_guard lock(mutex_);
  return refusal_;
}

std::string ShippingState::warning() const {
  const std::lock_guard lock(mutex_);
  return warning_;
}

void ShippingState::set_refusal(std::string why) {
  const std::lock_guard lock(mutex_);
  refusal_ = std::move(why);
}

void ShippingState::set_warning(std::string why) {
  const std::lock_guard lock(mutex_);
  warning_ = std::move(why);
}

}  // namespace verbatim::shipping
