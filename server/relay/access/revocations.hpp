// Client tokens that were revoked a moment ago, and back-end keys that were taken away, for
// whatever was admitted with one while that was written down: it looks here once it can be found,
// and is found by those that look for it from then on. Whether a token is revoked at all, the store
// knows; which keys are in force, the Authenticator.
//
// Any thread; one small mutex, touched when something is revoked, a client admitted or a watcher
// woken.
#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "server/net/async.hpp"

namespace verbatim::server {

class Revocations {
 public:
  /// Longer than anything takes from a look into the store to being found by its token.
  static constexpr auto kept_for = std::chrono::minutes(10);

  /// Ids: Principal::credential_id().
  void add(const std::string& credential_id) {
    const auto at = Clock::now();
    {
      const std::lock_guard lock(mutex_);
      std::erase_if(recent_, [at](const auto& one) { return at - one.second > kept_for; });
    }
    insert(credential_id, at);
  }
  void add(const std::unordered_set<std::string>& credential_ids) {
    for (const std::string& id : credential_ids) insert(id, Clock::now());
  }
  /// A key is in force again.
  void remove(const std::string& credential_id) {
    const std::lock_guard lock(mutex_);
    recent_.erase(credential_id);
  }
  bool contains(const std::string& credential_id) const {
    const std::lock_guard lock(mutex_);
    return recent_.contains(credential_id);
  }

 private:
  void insert(const std::string& credential_id, Clock::time_point at) {
    const std::lock_guard lock(mutex_);
    recent_[credential_id] = at;
  }

  mutable std::mutex mutex_;
  std::unordered_map<std::string, Clock::time_point> recent_;
};

}  // namespace verbatim::server
