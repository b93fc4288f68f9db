// How fast the sessions of one user may bring what is to be kept. Beyond that rate their clients
// are not read for a while: nothing is lost or refused, and the disk and the processor are there
// for the others.
//
// A message is never too large for it: a large one is taken whole, and the pause behind it is
// longer.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace verbatim::session {

/// What all of them have brought: the time at which it is paid for at the rate. Any thread, no
/// lock.
class PaceAccount {
 public:
  /// 0: any speed.
  explicit PaceAccount(std::size_t bytes_per_second)
      : bytes_per_second_(static_cast<std::int64_t>(bytes_per_second)) {}

  void brought(std::size_t bytes, std::int64_t now_ms) {
    if (bytes_per_second_ == 0) return;
    const std::int64_t cost = cost_of(static_cast<std::int64_t>(bytes));
    std::int64_t paid = paid_at_ns_.load(std::memory_order_relaxed);
    while (!paid_at_ns_.compare_exchange_weak(paid, std::max(paid, now_ms * ms) + cost,
                                              std::memory_order_relaxed)) {
    }
  }
  /// How long from now until all of it is paid for.
  std::int64_t owed_ns(std::int64_t now_ms) const {
    return std::max<std::int64_t>(paid_at_ns_.load(std::memory_order_relaxed) - now_ms * ms, 0);
  }
  /// When there will be so much left to be paid for.
  std::int64_t owes_at_ms(std::int64_t owed_ns) const {
    return (paid_at_ns_.load(std::memory_order_relaxed) - owed_ns + ms - 1) / ms;
  }

 private:
  static constexpr std::int64_t ms = 1'000'000;
  static constexpr double second_ns = 1e9;
  std::int64_t cost_of(std::int64_t bytes) const {
    return static_cast<std::int64_t>(static_cast<double>(bytes) * second_ns /
                                     static_cast<double>(bytes_per_second_));
  }

  const std::int64_t bytes_per_second_;
  std::atomic<std::int64_t> paid_at_ns_{0};
};

/// One session's view of it. One thread at a time.
class Pace {
 public:
  explicit Pace(std::shared_ptr<PaceAccount> account) : account_(std::move(account)) {}

  void brought(std::size_t bytes, std::int64_t now_ms) {
    account_->brought(bytes, now_ms);
    time_passed(now_ms);
  }
  void time_passed(std::int64_t now_ms) {
    holds_ = account_->owed_ns(now_ms) > (holds_ ? resumed_ns : allowed_ns);
  }

  /// No more is to be read until time_passed() was told of a time not before ends_at_ms(); the
  /// user's other sessions may have put it off by then.
  bool holds() const { return holds_; }
  /// Precondition: holds().
  std::int64_t ends_at_ms() const { return account_->owes_at_ms(resumed_ns); }

 private:
  /// What may come at once: a quarter of a second's.
  static constexpr std::int64_t allowed_ns = 250'000'000;
  /// Then little at a time, so that what others say never waits behind much of it.
  static constexpr std::int64_t resumed_ns = allowed_ns - 10'000'000;

  std::shared_ptr<PaceAccount> account_;
  bool holds_ = false;
};

}  // namespace verbatim::session
