// What all sessions journal together in a minute. Beyond the bound a session ends, so that the
// disk, which all of them need, is not one user's: the largest of the user whose sessions have
// journaled most of it together. Else one user's many sessions of middling size would end the
// larger one of another.
//
// Any thread. A session counts without a lock; only beyond the bound a mutex is taken, once for
// each session that ends.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "session/budget.hpp"

namespace verbatim::server {

class JournalShares {
 public:
  /// 0: no bound.
  explicit JournalShares(std::size_t bytes_per_minute) : bytes_per_minute_(bytes_per_minute) {}

  /// Of one session; null without a bound. Must not outlive this object. `user`: whose sessions
  /// count together; empty: nobody's, since a back end's key is not one user.
  std::shared_ptr<session::SharedJournal> open(std::string user = {});

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
    Share(JournalShares& all, std::string whose) : of(all), user(std::move(whose)) {}
    ~Share() override { of.close(*this); }
    bool add(std::size_t bytes, std::int64_t now_ms) override;

    JournalShares& of;
    const std::string user;
    Sum sum;
    std::atomic<std::int64_t> ends_in{-1};  ///< the minute in which it was found to be the largest
  };

  void close(Share& share);
  void end_largest(std::int64_t minute);
  Share* largest(std::int64_t minute) const;

  const std::size_t bytes_per_minute_;
  Sum all_;
  std::mutex mutex_;
  std::vector<Share*> shares_;
};

}  // namespace verbatim::server
