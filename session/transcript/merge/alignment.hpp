// Two lists of turns of one conversation, each of which may lack some: which of theirs is which of
// ours, and where theirs stand among ours.
//
// Pure; private to merge. Rules, with their reasons: docs/merge.md.
#pragma once

#include <optional>

#include "session/transcript/merge/merge_work.hpp"
#include "session/transcript/merge/slot.hpp"

namespace verbatim::session {

/// Brings `theirs` in: each becomes part of one of ours, or a slot of its own between them.
/// `known_shift`: from their writer's numbers to ours, if another copy has shown it. Returns it, if
/// this one does. Precondition: work_of_joining() was taken.
std::optional<int> join(MergedSlots& ours, MergedSlots&& theirs, std::optional<int> known_shift,
                        MergeWork& work);
/// What join() costs at least: looking at each of both.
std::uint64_t work_of_joining(const MergedSlots& ours, const MergedSlots& theirs);

}  // namespace verbatim::session
