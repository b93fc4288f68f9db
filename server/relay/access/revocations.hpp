// Recently revoked client tokens and removed back-end keys. It closes a race: a client may be
// admitted while a revocation is being stored. Such a client is registered first and then looks
// here; a later revocation finds it by its credential. The store knows which tokens are revoked,
// the Authenticator which keys are valid.
//
// Any thread. One small mutex, taken at a revocation, when a client is admitted, and when an
// event-stream subscriber is notified.
#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "server/net/async.hpp"

namespace verbatim::access {

class Revocations {
 public:
  /// Longer than the time from the check in the store until the client can be found by its
  /// credential.
  static constexpr auto kept_for = std::chrono::minutes(10);

  /// Adds ids of Principal::credential_id().
  void add(const std::string& credential_id) {
    const auto at = net::Clock::now();
    {
      const std::lock_guard lock(mutex_);
      std::erase_if(recent_, [at](const auto& one) { return at - one.second > kept_for; });
    }
    insert(credential_id, at);
  }
  void add(const std::unordered_set<std::string>& credential_ids) {
    for (const std::string& id : credential_ids) insert(id, net::Clock::now());
  }
  /// A key is valid again.
  void remove(const std::string& credential_id) {
    const std::lock_guard lock(mutex_);
    recent_.erase(credential_id);
  }
  bool contains(const std::string& credential_id) const {
    const std::lock_guard lock(mutex_);
    return recent_.contains(credential_id);
  }

 private:
  void insert(const std::string& credential_id, net::Clock::time_point at) {
    const std::lock_guard lock(mutex_);
    recent_[credential_id] = at;
  }

  mutable std::mutex mutex_;
  std::unordered_map<std::string, net::Clock::time_point> recent_;
};

}  // namespace verbatim::access
