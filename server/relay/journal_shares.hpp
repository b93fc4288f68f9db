// Limits the bytes that sessions journal, so that one user cannot take the whole disk bandwidth.
//
// All sessions of one user share a pace and a limit per minute, ended sessions included. Otherwise
// a user could multiply the limit with more sessions, or renew it with each new one.
//
// When all sessions together exceed their limit, one session ends: the largest session of the user
// whose sessions journaled most together. Otherwise one user's many medium-sized sessions could end
// another user's larger one.
//
// Any thread. A session counts without a lock. A mutex is taken when a session begins or ends, and
// over the common limit once for each session that ends.
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

namespace verbatim::relay {

class JournalShares {
 public:
  explicit JournalShares(const config::Limits& limits) { reload(limits); }

  /// New limits, at once and for all.
  void reload(const config::Limits& limits);

  /// The share of one session.
  struct Part {
    std::shared_ptr<session::SharedJournal> journal;  ///< must not outlive the JournalShares
    std::shared_ptr<session::PaceAccount> pace;
  };
  /// Opens a session's share.
  /// `owner`: sessions of one owner count together, also those that ended in this minute; empty:
  /// this session alone.
  /// `now_ms`: monotonic milliseconds, here and below.
  Part open(const std::string& owner, std::int64_t now_ms);
  /// Seconds until the owner's next session may begin because its sessions journaled too much in
  /// this minute; 0: now.
  std::int64_t wait_s(const std::string& owner, std::int64_t now_ms) const;

  /// Number of owners with an account.
  std::size_t owners() const;

 private:
  /// A sum for the current minute of the monotonic clock; the same minutes for all.
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
    std::atomic<std::int64_t> ends_in{-1};  ///< the minute in which it was chosen to end
  };

  std::shared_ptr<Account> account_of(const std::string& owner, std::int64_t now_ms);
  void forget_idle(std::int64_t now_ms);
  void close(Share& share);
  void end_largest(std::int64_t minute);
  Share* largest(std::int64_t minute) const;

  /// Of config::Limits; 0: no limit. Read for each journaled message, without a lock.
  struct {
    std::atomic<std::size_t> per_second{0};
    std::atomic<std::size_t> per_minute{0};
    std::atomic<std::size_t> all_per_minute{0};
  } limits_;
  Sum all_;
  mutable std::mutex mutex_;
  std::vector<Share*> shares_;
  std::unordered_map<std::string, std::shared_ptr<Account>> accounts_;
  std::size_t forget_at_ = 0;  ///< number of accounts at which forget_idle() runs
};

}  // namespace verbatim::relay
