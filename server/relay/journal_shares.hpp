// What sessions journal together, so that the disk, which all of them need, is not one user's.
//
// The sessions of one user share a pace and a minute's bound, also those that have ended: else a
// user would have as many times the limit as sessions, and the whole of it again with each new one.
//
// Beyond the bound of all sessions together one ends: the largest of the user whose sessions have
// journaled most of it together. Else one user's many sessions of middling size would end the
// larger one of another.
//
// Any thread. A session counts without a lock; a mutex is taken where one begins and ends, and
// beyond the bound of all, once for each session that ends.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "config/settings.hpp"
#include "session/budget.hpp"
#include "session/pace.hpp"

namespace verbatim::server {

class JournalShares {
 public:
  explicit JournalShares(const config::Limits& limits) : limits_(limits) {}

  /// One session's part.
  struct Part {
    std::shared_ptr<session::SharedJournal> journal;  ///< must not outlive the JournalShares
    std::shared_ptr<session::PaceAccount> pace;
  };
  /// `owner`: whose sessions count together, also those that have ended in this minute; empty:
  /// this one alone. `now_ms` is monotonic, here as everywhere below.
  Part open(const std::string& owner, std::int64_t now_ms);
  /// The owner's sessions have journaled too much in this minute: when the next one may begin, in
  /// seconds; 0: now.
  std::int64_t wait_s(const std::string& owner, std::int64_t now_ms) const;

  /// Owners of whom something is remembered.
  std::size_t owners() const;

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
  struct Account {
    explicit Account(std::size_t bytes_per_second) : pace(bytes_per_second) {}
    Sum sum;
    session::PaceAccount pace;
  };
  struct Share final : session::SharedJournal {
    Share(JournalShares& all, std::shared_ptr<Account> whose)
        : of(all), account(std::move(whose)) {}
    ~Share() override { of.close(*this); }
    std::optional<session::Limit> add(std::size_t bytes, std::int64_t now_ms) override;

    JournalShares& of;
    const std::shared_ptr<Account> account;
    Sum sum;
    std::atomic<std::int64_t> ends_in{-1};  ///< the minute in which it was found to be the largest
  };

  std::shared_ptr<Account> account_of(const std::string& owner, std::int64_t now_ms);
  void forget_idle(std::int64_t now_ms);
  void close(Share& share);
  void end_largest(std::int64_t minute);
  Share* largest(std::int64_t minute) const;

  const config::Limits limits_;
  Sum all_;
  mutable std::mutex mutex_;
  std::vector<Share*> shares_;
  std::unordered_map<std::string, std::shared_ptr<Account>> accounts_;
  std::size_t forget_at_ = 0;  ///< so many accounts
};

}  // namespace verbatim::server
