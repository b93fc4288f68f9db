// When to try again: pauses that double, spread so that many who lost the same provider at the same
// moment do not come back at the same moment (U10).
//
// Pure value; one thread at a time.
#pragma once

#include <algorithm>
#include <cstdint>

namespace verbatim {

struct BackoffOptions {
  int attempts_max = 0;              ///< one after another; 0: none
  std::int64_t pause_min_ms = 200;   ///< before the first
  std::int64_t pause_max_ms = 5000;  ///< they double up to this
  std::uint32_t seed = 1;            ///< spreads the pauses
};

class Backoff {
 public:
  explicit Backoff(BackoffOptions options)
      : options_(options), state_(options.seed * 2654435761u + 1) {}

  bool exhausted() const { return failures_ >= options_.attempts_max; }
  void failed() { ++failures_; }
  void reset() { failures_ = 0; }

  /// Before the next attempt, in milliseconds: between a half and the whole of its pause.
  std::int64_t pause() {
    std::int64_t whole = options_.pause_min_ms;
    for (int i = 0; i < failures_ && whole < options_.pause_max_ms; ++i) whole *= 2;
    whole = std::min(whole, options_.pause_max_ms);
    state_ = state_ * 1664525u + 1013904223u;
    return whole / 2 + static_cast<std::int64_t>(state_ >> 8) % (whole / 2 + 1);
  }

 private:
  BackoffOptions options_;
  int failures_ = 0;
  std::uint32_t state_;
};

}  // namespace verbatim
