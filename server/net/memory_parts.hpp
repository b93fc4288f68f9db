// Common parts of BodyMemory and AnswerMemory: the division of memory among callers, and the
// interval between log lines about refusals.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>

namespace verbatim::server {

/// All client tokens together get at most 1/clients_part, so that back ends always have the rest.
inline constexpr std::size_t clients_part = 2;
/// One user gets at most 1/owners_part.
inline constexpr std::size_t owners_part = 8;

/// Limits the log line about refused requests to one in ten seconds. due() returns whether a line
/// may be written now. Any thread.
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
