// Which turns of two lists are the same by their words: the order of both is kept, and as many
// pairs as possible are found.
//
// Private to merge. Rules, with their reasons: docs/merge.md.
#pragma once

#include "session/transcript/merge/merge_work.hpp"
#include "session/transcript/merge/numbering.hpp"
#include "session/transcript/merge/slot.hpp"

namespace verbatim::session {

/// The provider's ids in both: some are shared. Some writers make ids of their own.
bool ids_are_of_one_kind(const MergedSlots& ours, const MergedSlots& theirs);

FoundAnchors find_anchors(const MergedSlots& ours, const MergedSlots& theirs,
                          bool ids_are_comparable, MergeWork& work);

/// Each of theirs is, to the letter and in this order, among ours: nothing of it is new.
std::optional<Partners> find_among(const MergedSlots& ours, const MergedSlots& theirs,
                                   bool ids_are_comparable);

/// Pairs what `partners` leaves without one. Time is bounded by the product of the lengths of what
/// has something in common, by `cells_max` and by the work that is left; memory by their sum.
void align_by_words(const MergedSlots& ours, const MergedSlots& theirs, const FoundAnchors& anchors,
                    Comparable by, Partners& partners, MergeWork& work);

/// Pairs that agree, not those that only sound alike.
std::size_t count_agreements(const MergedSlots& ours, const MergedSlots& theirs,
                             const Partners& partners);

/// Theirs that keep the order of ours when paired, in order: what lies between two of them can only
/// belong between them.
std::vector<std::size_t> in_order(const Partners& partners);

/// Calls `visit(our_begin, our_end, their_begin, their_end)` for what lies between the pairs.
template <class Visit>
void between(const MergedSlots& ours, const MergedSlots& theirs, const Partners& partners,
             Visit visit) {
  std::size_t i = 0, j = 0;
  for (const std::size_t barrier : in_order(partners)) {
    visit(i, partners[barrier], j, barrier);
    i = partners[barrier] + 1;
    j = barrier + 1;
  }
  visit(i, ours.size(), j, theirs.size());
}

}  // namespace verbatim::session
