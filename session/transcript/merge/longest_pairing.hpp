// The pairing of two stretches of turns, in the order of both, that has the most pairs and, of
// those, the one that says the most.
//
// Private to merge. Memory is bounded by the sum of the lengths, time by their product; beyond
// `cells_max`, or where less work is left, a quicker way is taken that may find fewer pairs.
#pragma once

#include "session/transcript/merge/merge_work.hpp"
#include "session/transcript/merge/slot.hpp"

namespace verbatim::session {

/// Of one list: [begin, end).
struct Stretch {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// Fills `partners` for those of theirs that have none.
void pair_most(const MergedSlots& ours, Stretch of_ours, const MergedSlots& theirs,
               Stretch of_theirs, Comparable by, Partners& partners, MergeWork& work);

}  // namespace verbatim::session
