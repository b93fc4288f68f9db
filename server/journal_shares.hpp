// What all sessions journal together in a minute. Beyond the bound the session that has journaled
// most of it ends, so that the disk, which all of them need, is not one session's.
//
// Any thread. A session counts without a lock; only beyond the bound a mutex is taken, once for
// each session that ends.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "session/budget.hpp"

namespace verbatim::server {

class JournalShares {
 public:
  /// 0: no bound.
  explicit JournalShares(std::size_t bytes_per_minute) : bytes_per_minute_(bytes_per_minute) {}

  /// Of one session; null without a bound. Must not outlive this object.
  std::shared_ptr<session::SharedJournal> open();

 private:
  /// A sum of the present minute: of the monotonic clock, the same for all.
  class Sum {
   public:
    std::uint64_t add(std::uint64_t bytes, std::int64_t minute);
    void take_off(std::uint64_t bytes);
    std::uint64_t in(std::int64_t minute) const;
    std::int64_t minute() const { return minute_.load(std::memory_order_relaxed); }

   private:
    std::atomic<std::int64_t> minute_{-1};
    std::atomic<std::uint64_t> bytes_{0};
  };
  struct Share final : session::SharedJournal {
    explicit Share(JournalShares& all) : of(all) {}
    ~Share() override { of.close(*this); }
    bool add(std::size_t bytes, std::int64_t now_ms) override;

    JournalShares& of;
    Sum sum;
    std::atomic<std::int64_t> ends_in{-1};  ///< the minute in which it was found to be the largest
  };

  void close(Share& share);
  void end_largest(std::int64_t minute);

  const std::size_t bytes_per_minute_;
  Sum all_;
  std::mutex mutex_;
  std::vector<Share*> shares_;
};

}  // namespace verbatim::server
