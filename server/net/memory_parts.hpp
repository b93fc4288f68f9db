// What the accounts of memory that strangers can take (body_memory, answer_memory) have in common:
// the parts that callers get, and how often a refusal is logged.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>

namespace verbatim::server {

/// Client tokens together get one part in this many, so that back ends are served whatever they do.
inline constexpr std::size_t clients_part = 2;
/// One user gets one part in this many.
inline constexpr std::size_t owners_part = 8;

/// Whether it is time for another line in the log that says that requests are refused: one in ten
/// seconds. Any thread.
class RefusalLine {
 public:
  bool due(std::chrono::steady_clock::time_point now) {
    const std::lock_guard lock(mutex_);
    if (now < next_) return false;
    next_ = now + std::chrono::seconds(10);
    return true;
  }

 private:
  std::mutex mutex_;
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace verbatim::server
