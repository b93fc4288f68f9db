// Rate limit per minute and name, in windows of one minute. A name's window is dropped after its
// minute.
//
// Any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <unordered_map>

namespace verbatim {

class RateLimit {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// `per_minute` 0: no limit.
  explicit RateLimit(std::size_t per_minute) : per_minute_(per_minute) {}

  /// Uses that are already counted in the current minute stay counted.
  void set_limit(std::size_t per_minute) { per_minute_ = per_minute; }

  /// Counts one use of `name`. Returns 0 if it is within the limit, else the seconds to wait.
  int take(const std::string& name, Time now) {
    const std::size_t most = per_minute_;
    if (most == 0) return 0;
    const std::lock_guard lock(mutex_);
    if (now >= forget_at_) {
      std::erase_if(windows_, [&](const auto& one) { return one.second.ends <= now; });
      forget_at_ = now + std::chrono::minutes(1);
    }
    Window& window = windows_[name];
    if (window.ends <= now) window = {now + std::chrono::minutes(1), 0};
    if (++window.taken <= most) return 0;
    const auto left = std::chrono::duration_cast<std::chrono::seconds>(window.ends - now);
    return static_cast<int>(left.count()) + 1;
  }

 private:
  struct Window {
    Time ends{};
    std::size_t taken = 0;
  };
  std::atomic<std::size_t> per_minute_;
  std::mutex mutex_;
  Time forget_at_{};
  std::unordered_map<std::string, Window> windows_;
};

}  // namespace verbatim
