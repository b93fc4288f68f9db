// Exponential backoff with jitter. The pauses double, and the jitter spreads the attempts of many
// clients that lost the same provider at the same moment.
//
// Pure value; one thread at a time.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>

namespace verbatim {

/// `first` doubled `times` times, at most `most`.
template <class T>
constexpr T doubled(T first, int times, T most) {
  for (; times > 0 && first < most; --times) first *= 2;
  return std::min(first, most);
}

struct BackoffOptions {
  int attempts_max = 0;              ///< failed attempts in a row before giving up; 0: no attempt
  std::int64_t pause_min_ms = 200;   ///< pause before the first attempt
  std::int64_t pause_max_ms = 5000;  ///< upper bound of the doubled pauses
  std::uint32_t seed = 1;            ///< seed of the jitter
};

class Backoff {
 public:
  explicit Backoff(BackoffOptions options)
      : options_(options), state_(options.seed * 2654435761u + 1) {}

  bool exhausted() const { return failures_ >= options_.attempts_max; }
  void failed() { ++failures_; }
  void reset() { failures_ = 0; }

  /// Pause before the next attempt, in milliseconds: the doubled pause times a random factor from
  /// 0.5 to 1.
  std::int64_t pause() {
    const std::int64_t whole = doubled(options_.pause_min_ms, failures_, options_.pause_max_ms);
    state_ = state_ * 1664525u + 1013904223u;
    return whole / 2 + static_cast<std::int64_t>(state_ >> 8) % (whole / 2 + 1);
  }

 private:
  BackoffOptions options_;
  int failures_ = 0;
  std::uint32_t state_;
};

/// For attempts that never end: the first pause is about `least`, no pause is longer than `most`.
inline Backoff backoff_between(std::chrono::milliseconds least, std::chrono::milliseconds most,
                               std::uint32_t seed) {
  return Backoff({std::numeric_limits<int>::max(), least.count(), most.count(), seed});
}

}  // namespace verbatim
