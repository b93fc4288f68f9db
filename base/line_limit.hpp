// How many log lines of one kind are written in a second. What a peer without credentials can cause
// as often as it likes must not fill a disk, nor make the log what everything waits for. What is
// left out is counted, and told when its second is over.
//
// Any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

namespace verbatim {

class LineLimit {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// 0: no limit.
  explicit LineLimit(std::size_t per_second) : per_second_(per_second) {}

  struct Verdict {
    bool write = true;
    std::uint64_t left_out = 0;  ///< before it, to be told first
  };
  Verdict take(Time now) {
    if (per_second_ == 0) return {};
    const std::lock_guard lock(mutex_);
    Verdict verdict;
    if (now >= ends_) {
      verdict.left_out = std::exchange(left_out_, 0);
      ends_ = now + std::chrono::seconds(1);
      written_ = 0;
    }
    verdict.write = written_ < per_second_;
    ++(verdict.write ? written_ : left_out_);
    return verdict;
  }

  /// What was left out in a second that is over: told once.
  std::uint64_t take_left_out(Time now) {
    const std::lock_guard lock(mutex_);
    return now >= ends_ ? std::exchange(left_out_, 0) : 0;
  }

 private:
  const std::size_t per_second_;
  std::mutex mutex_;
  Time ends_{};
  std::uint64_t written_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace verbatim
