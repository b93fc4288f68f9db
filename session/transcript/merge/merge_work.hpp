// Limits the cost of one merge. The unit is about one comparison of two short turns (30 ns); larger
// steps count for more. Each step takes its work before it begins. If too little is left, a cheaper
// method is used, so the time of a merge is bounded for any posts.
//
// Work is counted and not timed, and the limit is not a setting: the same copies must give the same
// transcript on every machine and under any load.
//
// Private to merge; one thread.
#pragma once

#include <cstdint>

namespace verbatim::transcript {

class MergeWork {
 public:
  explicit MergeWork(std::uint64_t most) : left_(most) {}

  /// Takes `work`. If less is left: false, and nothing is taken.
  bool take(std::uint64_t work) {
    if (work > left_) return false;
    left_ -= work;
    return true;
  }

 private:
  std::uint64_t left_;
};

}  // namespace verbatim::transcript
