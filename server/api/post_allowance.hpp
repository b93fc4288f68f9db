// Limits the turns and bytes that each client's token may post, because the time of a merge grows
// with them. Counts since the server started, and forgets a token that has not posted for a day. A
// limit on all posts to an attempt bounds the rest (storage/rows/copies.hpp).
//
// Any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <unordered_map>

namespace verbatim::api {

class PostAllowance {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Amount {
    std::size_t turns = 0;
    std::size_t bytes = 0;
  };

  explicit PostAllowance(Amount most) : most_(most) {}

  /// Amounts that were taken before still count.
  void set_most(Amount most) {
    const std::lock_guard lock(mutex_);
    most_ = most;
  }

  /// Takes that much; false, and nothing is taken, if it is more than what is left.
  bool take(const std::string& token, Amount amount, Time now) {
    const std::lock_guard lock(mutex_);
    if (now >= forget_at_) {
      std::erase_if(tokens_, [&](const auto& one) { return now - one.second.last >= kept_for; });
      forget_at_ = now + kept_for / 24;
    }
    if (amount.turns > most_.turns || amount.bytes > most_.bytes) return false;
    Posted& posted = tokens_[token];
    posted.last = now;
    if (posted.amount.turns > most_.turns - amount.turns ||
        posted.amount.bytes > most_.bytes - amount.bytes)
      return false;
    posted.amount.turns += amount.turns;
    posted.amount.bytes += amount.bytes;
    return true;
  }

  /// Returns an amount whose post was not stored.
  void give_back(const std::string& token, Amount amount) {
    const std::lock_guard lock(mutex_);
    const auto found = tokens_.find(token);
    if (found == tokens_.end()) return;
    found->second.amount.turns -= amount.turns;
    found->second.amount.bytes -= amount.bytes;
  }

 private:
  static constexpr std::chrono::hours kept_for{24};
  struct Posted {
    Amount amount;
    Time last{};
  };
  Amount most_;
  std::mutex mutex_;
  Time forget_at_{};
  std::unordered_map<std::string, Posted> tokens_;
};

}  // namespace verbatim::api
