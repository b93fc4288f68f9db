// Rate limit on the bytes that the sessions of one user bring to the journal. Above the rate, the
// relay stops reading their clients for a while (backpressure). No message is lost or refused; disk
// and processor time remain for other users.
//
// A message is never too large for the limit: it is taken whole, and the pause after it is longer.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/assert.hpp"

namespace verbatim::session {

/// Total of all sessions of one user. Each byte costs time at the rate; the total is stored as the
/// time at which all of it is paid. Any thread, no lock.
class PaceAccount {
 public:
  /// `bytes_per_second` 0: no limit.
  explicit PaceAccount(std::size_t bytes_per_second)
      : bytes_per_second_(static_cast<std::int64_t>(bytes_per_second)) {}

  /// Bytes that came before keep their cost.
  void set_rate(std::size_t bytes_per_second) {
    bytes_per_second_.store(static_cast<std::int64_t>(bytes_per_second), std::memory_order_relaxed);
  }

  void brought(std::size_t bytes, std::int64_t now_ms) {
    const std::int64_t rate = bytes_per_second_.load(std::memory_order_relaxed);
    if (rate == 0) return;
    const std::int64_t cost = cost_of(static_cast<std::int64_t>(bytes), rate);
    std::int64_t paid = paid_at_ns_.load(std::memory_order_relaxed);
    while (!paid_at_ns_.compare_exchange_weak(paid, std::max(paid, now_ms * ms) + cost,
                                              std::memory_order_relaxed)) {
    }
  }
  /// Time from now until everything is paid, in nanoseconds.
  std::int64_t owed_ns(std::int64_t now_ms) const {
    return std::max<std::int64_t>(paid_at_ns_.load(std::memory_order_relaxed) - now_ms * ms, 0);
  }
  /// Monotonic time at which only `owed_ns` is left to pay.
  std::int64_t owes_at_ms(std::int64_t owed_ns) const {
    return (paid_at_ns_.load(std::memory_order_relaxed) - owed_ns + ms - 1) / ms;
  }

 private:
  static constexpr std::int64_t ms = 1'000'000;
  static constexpr double second_ns = 1e9;
  static std::int64_t cost_of(std::int64_t bytes, std::int64_t rate) {
    return static_cast<std::int64_t>(static_cast<double>(bytes) * second_ns /
                                     static_cast<double>(rate));
  }

  std::atomic<std::int64_t> bytes_per_second_;
  std::atomic<std::int64_t> paid_at_ns_{0};
};

/// The account as one session uses it. One thread at a time.
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

  /// True: do not read the client. Call time_passed() again at ends_at_ms(); other sessions of the
  /// user may have moved that time by then.
  bool holds() const { return holds_; }
  /// Precondition: holds().
  std::int64_t ends_at_ms() const {
    VERBATIM_EXPECTS(holds_);
    return account_->owes_at_ms(resumed_ns);
  }

 private:
  /// Burst that passes without a pause: a quarter of a second of the rate.
  static constexpr std::int64_t allowed_ns = 250'000'000;
  /// The pause ends when 10 ms of that burst are free again. Reading then goes on in small steps,
  /// so other sessions' messages never wait behind a large one.
  static constexpr std::int64_t resumed_ns = allowed_ns - 10'000'000;

  std::shared_ptr<PaceAccount> account_;
  bool holds_ = false;
};

}  // namespace verbatim::session
