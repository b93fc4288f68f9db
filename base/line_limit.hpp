// Limits the log lines of one kind. A peer without credentials can cause such lines without limit.
// They must not fill the disk or make other threads wait for the log. Time is divided into windows;
// a window begins with the first line after the end of the last one. Omitted lines are counted, and
// the count is logged once their window is over.
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

  /// `lines_max` in each `window`; 0: no limit.
  explicit LineLimit(std::size_t lines_max, Time::duration window = std::chrono::seconds(1))
      : lines_max_(lines_max), window_(window) {}

  struct Verdict {
    bool write = true;
    std::uint64_t left_out = 0;  ///< omitted in an earlier window; log this count first
  };
  Verdict take(Time now) {
    if (lines_max_ == 0) return {};
    const std::lock_guard lock(mutex_);
    Verdict verdict;
    if (now >= ends_) {
      verdict.left_out = std::exchange(left_out_, 0);
      ends_ = now + window_;
      written_ = 0;
    }
    verdict.write = written_ < lines_max_;
    ++(verdict.write ? written_ : left_out_);
    return verdict;
  }

  /// The number of lines omitted in a window that is over; each line is counted once.
  std::uint64_t take_left_out(Time now) {
    const std::lock_guard lock(mutex_);
    return now >= ends_ ? std::exchange(left_out_, 0) : 0;
  }

 private:
  const std::size_t lines_max_;
  const Time::duration window_;
  std::mutex mutex_;
  Time ends_{};
  std::uint64_t written_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace verbatim
