// Two lists of turns of one conversation, each of which may lack some: which of theirs is which of
// ours, and where theirs stand among ours.
//
// Pure; private to merge. Rules, with their reasons: docs/merge.md.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "session/turn.hpp"

namespace verbatim::session {

/// What one writer has for a turn.
struct Saying {
  std::size_t source = 0;  ///< who: 0 the relay, else a copy
  TurnStatus status = TurnStatus::completed;
  Text text;
  std::string words;  ///< spoken_words(text)
};

/// A turn of the conversation, as far as it is known.
struct Slot {
  Role role = Role::unknown;
  std::vector<std::string> ids;
  std::optional<int> place;  ///< in the numbering of the list it is in; not all need one
  std::vector<Saying> sayings;
  std::optional<TimeMs> started_at;
  std::optional<TimeMs> ended_at;
  const Turn* heard = nullptr;  ///< the relay's own turn

  bool has_id(const std::string& id) const;
};
using Slots = std::vector<Slot>;

/// One turn said twice in the same list: one slot.
void absorb(Slot& ours, Slot&& theirs);

/// They stand at the same place, by the same role: can it be the same turn?
bool may_be_same(const Slot& ours, const Slot& theirs);

/// Brings `theirs` in: each becomes part of one of ours, or a slot of its own between them.
void join(Slots& ours, Slots&& theirs);

}  // namespace verbatim::session
