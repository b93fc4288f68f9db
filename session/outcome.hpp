// Summary of a session after its end. It has counts only; the text is in the journal. A plain
// value.
#pragma once

#include <array>
#include <cstddef>

#include "session/transcript/turn.hpp"
#include "session/transcript/usage.hpp"

namespace verbatim::session {

struct Outcome {
  std::size_t turns = 0;
  transcript::TurnCounts turn_counts{};
  bool complete = false;
  std::array<bool, transcript::gap_kind_count> gaps{};  ///< kinds of gaps, indexed by GapKind
  transcript::Usage used;
};

}  // namespace verbatim::session
