// The schedule of events. Each has two times: when it is due, scaled by the pace, and its rank,
// which is not scaled. The rank keeps the provider's order when pace 0 makes everything due at
// once. Plain values.
#pragma once

#include <compare>
#include <cstdint>

namespace verbatim::simulator {

struct Due {
  std::int64_t at_ms = 0;
  std::int64_t rank_ms = 0;
  friend auto operator<=>(const Due&, const Due&) = default;  // NOLINT(modernize-use-nullptr)
};

class Pace {
 public:
  explicit Pace(double factor) : factor_(factor) {}

  Due after(std::int64_t start_ms, std::int64_t offset_ms) const {
    const double scaled = static_cast<double>(offset_ms) * factor_;
    return {start_ms + static_cast<std::int64_t>(scaled), start_ms + offset_ms};
  }

 private:
  double factor_;
};

}  // namespace verbatim::simulator
