// A target that takes the place of one with the same name: the calls of the other come to their
// outcome first, and its counts go on.
#include <algorithm>
#include <utility>

#include "base/clock.hpp"
#include "base/thread_name.hpp"
#include "server/webhooks/target.hpp"

namespace verbatim::webhooks {

void Target::start(std::unique_ptr<Target> before) {
  before_ = std::move(before);
  if (before_) {
    before_->finishing_ = true;
    before_->calls_.wake();
  }
  thread_ = std::thread([this] {
    name_this_thread("webhooks");
    run();
  });
}

/// Any thread. Also aborts the calls of the target before, for which this one's thread may wait.
void Target::abort() {
  stopping_ = true;
  calls_.wake();
  const std::lock_guard lock(before_mutex_);
  if (before_) before_->abort();
}

/// Waits for the target before, and goes on with its counts.
void Target::take_over() {
  Target* const before = before_.get();
  if (!before) return;
  before->thread_.join();
  const std::lock_guard lock(before_mutex_);
  const WebhookGauges counted = before->own_gauges();
  delivered_ += counted.delivered;
  failed_ += counted.failed;
  dead_ += counted.dead;
  for (std::size_t i = 0; i < calls_of_.size(); ++i) calls_of_[i] += counted.calls[i];
  call_ms_ += before->call_ms_;
  before_.reset();
}

/// A target that has a successor is over when its calls have their outcome in the store.
bool Target::is_over() const {
  return finishing_ && std::none_of(flights_.begin(), flights_.end(),
                                    [](const auto& one) { return one.second.called_at != 0; });
}

WebhookGauges Target::gauges() const {
  const std::lock_guard lock(before_mutex_);
  WebhookGauges found = own_gauges();
  if (!before_) return found;
  const WebhookGauges earlier = before_->gauges();
  found.delivered += earlier.delivered;
  found.failed += earlier.failed;
  found.dead += earlier.dead;
  found.waiting = earlier.waiting;
  found.dead_letters = earlier.dead_letters;
  found.oldest_seconds = earlier.oldest_seconds;
  for (std::size_t i = 0; i < found.calls.size(); ++i) found.calls[i] += earlier.calls[i];
  found.call_seconds += earlier.call_seconds;
  return found;
}

WebhookGauges Target::own_gauges() const {
  const std::int64_t oldest = oldest_.load();
  const double age = oldest == 0 ? 0 : static_cast<double>(now().wall - oldest) / 1000;
  WebhookGauges found{target_.name, delivered_, failed_,           dead_,
                      waiting_,     buried_,    std::max(age, 0.0)};
  for (std::size_t i = 0; i < calls_of_.size(); ++i) found.calls[i] = calls_of_[i];
  found.call_seconds = static_cast<double>(call_ms_) / 1000;
  return found;
}

}  // namespace verbatim::webhooks
