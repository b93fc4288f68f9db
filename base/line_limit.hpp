// Limits the log lines of one kind per second. A peer without credentials can cause such lines
// without limit. They must not fill the disk or make other threads wait for the log. Omitted lines
// are counted, and the count is logged once their second is over.
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

  /// `per_second` 0: no limit.
  explicit LineLimit(std::size_t per_second) : per_second_(per_second) {}

  struct Verdict {
    bool write = true;
    std::uint64_t left_out = 0;  ///< omitted in an earlier second; log this count first
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

  /// The number of lines omitted in a second that is over; each line is counted once.
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
