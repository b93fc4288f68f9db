// How fast one conversation may bring what is to be kept. Beyond its rate its client is not read
// for a while: nothing is lost or refused, and the disk and the processor are there for the others.
//
// A message is never too large for it: a large one is taken whole, and the pause behind it is
// longer.
//
// Pure value; one thread at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace verbatim::session {

class Pace {
 public:
  /// 0: any speed.
  explicit Pace(std::size_t bytes_per_second)
      : bytes_per_second_(static_cast<std::int64_t>(bytes_per_second)) {}

  void brought(std::size_t bytes, std::int64_t now_ms) {
    if (bytes_per_second_ == 0) return;
    pay(now_ms);
    owed_ += static_cast<std::int64_t>(bytes) * 1000;
    holds_ = holds_ || owed_ > allowed();
  }
  void time_passed(std::int64_t now_ms) {
    if (!holds_) return;
    pay(now_ms);
    holds_ = owed_ > allowed() / 2;
  }

  /// No more is to be read until time_passed() was told of a time not before ends_at_ms().
  bool holds() const { return holds_; }
  /// Precondition: holds().
  std::int64_t ends_at_ms() const {
    const std::int64_t too_much = std::max<std::int64_t>(owed_ - allowed() / 2, 0);
    return paid_at_ms_ + (too_much + bytes_per_second_ - 1) / bytes_per_second_;
  }

 private:
  /// What may come at once: a quarter of a second's.
  std::int64_t allowed() const { return bytes_per_second_ * 250; }
  void pay(std::int64_t now_ms) {
    const std::int64_t passed = std::max<std::int64_t>(now_ms - paid_at_ms_, 0);
    owed_ = passed >= owed_ / bytes_per_second_ + 1 ? 0 : owed_ - passed * bytes_per_second_;
    paid_at_ms_ = std::max(paid_at_ms_, now_ms);
  }

  std::int64_t bytes_per_second_;
  std::int64_t owed_ = 0;  ///< bytes times 1000, as of paid_at_ms_: a millisecond pays the rate
  std::int64_t paid_at_ms_ = 0;
  bool holds_ = false;
};

}  // namespace verbatim::session
