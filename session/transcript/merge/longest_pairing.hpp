// Pairs the turns of two stretches, keeping both orders: the most pairs, and among those the best
// scores.
//
// Private to merge; one thread. Memory grows with the sum of the lengths, time with their product.
// Above `cells_max`, or if too little work is left, a faster method is used that may find fewer
// pairs.
#pragma once

#include "session/transcript/merge/merge_work.hpp"
#include "session/transcript/merge/slot.hpp"

namespace verbatim::transcript {

/// A part of a list: [begin, end).
struct Stretch {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// Fills `partners` for their turns that have none. `by`: what can be compared besides words. The
/// cost is taken from `work`.
void pair_most(const MergedSlots& ours, Stretch of_ours, const MergedSlots& theirs,
               Stretch of_theirs, Comparable by, Partners& partners, MergeWork& work);

}  // namespace verbatim::transcript
