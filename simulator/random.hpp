// Random numbers from a seed, the same on every platform (the standard's distributions differ
// between libraries). A plain value; one thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/assert.hpp"

namespace verbatim::simulator {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  /// SplitMix64.
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }

  /// 0 to limit - 1. Precondition: limit > 0.
  std::size_t below(std::size_t limit) {
    VERBATIM_EXPECTS(limit > 0);
    return static_cast<std::size_t>(next() % limit);
  }

  bool chance(double probability) {
    return static_cast<double>(next() >> 11U) * 0x1p-53 < probability;
  }

 private:
  std::uint64_t state_;
};

}  // namespace verbatim::simulator
