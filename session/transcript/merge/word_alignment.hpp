// Pairs the turns of two lists by their words: keeps the order of both and finds as many pairs as
// possible.
//
// Private to merge; one thread. Rules with their reasons: docs/merge.md.
#pragma once

#include "session/transcript/merge/merge_work.hpp"
#include "session/transcript/merge/numbering.hpp"
#include "session/transcript/merge/slot.hpp"

namespace verbatim::transcript {

/// True if both lists have the provider's ids, that is, some ids are shared. Some writers make
/// their own ids.
bool ids_are_of_one_kind(const MergedSlots& ours, const MergedSlots& theirs);

FoundAnchors find_anchors(const MergedSlots& ours, const MergedSlots& theirs,
                          bool ids_are_comparable, MergeWork& work);

/// The pairs if each of their turns occurs unchanged and in this order in ours, so that nothing is
/// new; else nullopt.
std::optional<Partners> find_among(const MergedSlots& ours, const MergedSlots& theirs,
                                   bool ids_are_comparable);

/// Pairs their turns that have no partner in `partners`. Memory grows with the sum of the lengths.
/// Time grows with the product of the lengths of turns with common words, up to `cells_max` and the
/// remaining work.
///
/// - `anchors`: pairs that are almost certain, from find_anchors().
/// - `by`: what can be compared besides words.
/// - `work`: the budget of the merge; the cost is taken from it.
void align_by_words(const MergedSlots& ours, const MergedSlots& theirs, const FoundAnchors& anchors,
                    Comparable by, Partners& partners, MergeWork& work);

/// The number of pairs that agree; pairs that are only similar do not count.
std::size_t count_agreements(const MergedSlots& ours, const MergedSlots& theirs,
                             const Partners& partners);

/// Their paired turns that keep the order of ours, in order. A turn between two of them can only
/// belong between them.
std::vector<std::size_t> in_order(const Partners& partners);

/// Calls `visit(our_begin, our_end, their_begin, their_end)` for each stretch between the pairs.
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

}  // namespace verbatim::transcript
