// Aligns two lists of turns of one conversation, either of which may lack turns. Here and in the
// rest of merge, `ours` is the list merged so far and `theirs` is the list of the next copy.
//
// Pure; private to merge; one thread. Rules with their reasons: docs/merge.md.
#pragma once

#include <optional>

#include "session/transcript/merge/merge_work.hpp"
#include "session/transcript/merge/slot.hpp"

namespace verbatim::transcript {

/// Merges `theirs` into `ours`: each of their turns becomes part of one of our slots, or a new slot
/// between them. Precondition: work_of_joining() was taken from `work`.
///
/// - `known_shift`: from the writer's numbers to ours, as shown by another copy of that writer.
/// - Returns the shift, if this copy shows it.
std::optional<int> join(MergedSlots& ours, MergedSlots&& theirs, std::optional<int> known_shift,
                        MergeWork& work);
/// The least cost of join(): one look at each turn of both lists.
std::uint64_t work_of_joining(const MergedSlots& ours, const MergedSlots& theirs);

}  // namespace verbatim::transcript
