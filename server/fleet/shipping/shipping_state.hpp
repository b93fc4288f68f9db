// The shipper's state as the rest of the relay sees it. The shipper's thread writes, any thread
// reads; no conversation waits for a lock of it.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <iterator>
#include <mutex>
#include <optional>
#include <string>

#include "server/fleet/shipping/database_names.hpp"
#include "session/transcript/journal.hpp"

namespace verbatim::shipping {

/// Upper bounds, in seconds, of the time from an event to its confirmation by the database.
inline constexpr double confirm_bounds[] = {0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1,
                                            0.15,  0.25, 0.5,  1,    2.5,  10,    60};
inline constexpr std::size_t confirm_buckets = std::size(confirm_bounds) + 1;

/// Counts are since the start.
struct ShippingFigures {
  bool connected = false;
  bool fenced = false;
  double lag_seconds = 0;           ///< age of the oldest event that the database lacks
  std::uint64_t backlog_bytes = 0;  ///< that wait for the database
  std::uint64_t backlog_events = 0;
  std::uint64_t backlog_rows = 0;
  std::uint64_t batches = 0;  ///< confirmed
  std::uint64_t events = 0;   ///< confirmed
  std::uint64_t bytes = 0;    ///< confirmed
  std::uint64_t connects = 0;
  std::uint64_t failures = 0;  ///< connections that failed or were lost
  std::array<std::uint64_t, confirm_buckets> confirms{};
  double confirm_seconds = 0;
  std::int64_t incarnation = 0;  ///< 0: it has none, or was fenced
  /// The lease, by this node's steady clock (lease.hpp); none: it is not held.
  std::optional<std::chrono::steady_clock::time_point> lease_until;
  std::optional<std::chrono::steady_clock::time_point> may_fence_from;
};

class ShippingState {
 public:
  // --- the gate of conversations, with `before` ---
  /// The database has everything up to here, on a replica if one is required.
  transcript::Sequence confirmed() const { return confirmed_.load(std::memory_order_acquire); }
  /// Waits until the database has everything up to `upto`, or until `until`. Any thread that may
  /// wait; not one of conversations.
  void wait_confirmed(transcript::Sequence upto, std::chrono::steady_clock::time_point until) const;
  /// Text must not wait for the database now (fleet.when_unreachable = "go_on").
  bool bypassed() const { return bypassed_.load(std::memory_order_acquire); }
  /// Conversations must end instead of waiting (fleet.when_unreachable = "refuse").
  bool given_up() const { return given_up_.load(std::memory_order_acquire); }

  /// True if it moves. It never goes back: what was confirmed may have been sent on.
  bool confirm(transcript::Sequence upto);
  void bypass(bool now) { bypassed_.store(now, std::memory_order_release); }
  void give_up(bool now) { given_up_.store(now, std::memory_order_release); }

  // --- figures ---
  ShippingFigures figures() const;
  template <class Change>
  void change(Change change) {
    const std::lock_guard lock(mutex_);
    change(figures_);
  }
  void count_confirm(double seconds);

  // --- trouble ---
  /// Why new sessions are refused; empty: they are not.
  std::string refusal() const;
  /// A problem that refuses no session; empty: none.
  std::string warning() const;
  void set_refusal(std::string why);
  void set_warning(std::string why);

 private:
  std::atomic<transcript::Sequence> confirmed_{0};
  std::atomic<bool> bypassed_{false};
  std::atomic<bool> given_up_{false};
  mutable std::mutex mutex_;
  mutable std::condition_variable moved_;  ///< notified when confirmed_ changes
  ShippingFigures figures_;
  std::string refusal_;
  std::string warning_;
};

}  // namespace verbatim::shipping
