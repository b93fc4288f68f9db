// What one merge may cost. Its unit is about one comparison of two short turns (some 30 ns); what
// costs more counts for more. Each step asks before it begins, and where not enough is left a
// cheaper way is taken: so a merge's time is bounded before it begins, whatever was posted.
//
// Work is counted, never timed, and the bound is no setting: the same copies must make the same
// transcript on every machine, also where something else runs beside.
//
// Private to merge.
#pragma once

#include <cstdint>

namespace verbatim::session {

class MergeWork {
 public:
  explicit MergeWork(std::uint64_t most) : left_(most) {}

  /// False, and nothing is taken, if less is left.
  bool take(std::uint64_t work) {
    if (work > left_) return false;
    left_ -= work;
    return true;
  }

 private:
  std::uint64_t left_;
};

}  // namespace verbatim::session
