// Merges the relay's transcript and every posted copy into one transcript (P3). The result depends
// only on the *set* of copies, so order and repetition of the posts do not matter. Nothing given is
// dropped, so no turn can vanish.
//
// Pure; any thread. Rules with their reasons: docs/merge.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "session/transcript/merge/copy.hpp"
#include "session/transcript/transcript.hpp"
#include "session/transcript/turn.hpp"

namespace verbatim::transcript {

/// Name of the relay as a writer.
inline constexpr const char* relay_writer = "relay";
/// Name of the writer that transcribes recorded audio again (server/repair).
inline constexpr const char* repair_writer = "repair";

/// A writer's version of a turn for which another writer has the better one.
struct Version {
  std::string writer;
  TurnStatus status = TurnStatus::completed;
  Text text;

  friend bool operator==(const Version&, const Version&) = default;
};

struct MergedTurn : Turn {
  std::vector<std::string> writers;  ///< the writers that have the turn, the relay first
  std::vector<Version> versions;     ///< other versions of its text, in a fixed order
  bool repaired = false;             ///< its text is of the writer `repair`

  friend bool operator==(const MergedTurn&, const MergedTurn&) = default;
};

struct MergedTranscript {
  std::vector<MergedTurn> turns;  ///< ordinals 1..n
  std::vector<Gap> gaps;
  std::vector<std::string> writers;
  std::vector<ToolCall> tool_calls;  ///< the relay's; no other writer has tool calls
  bool complete = false;             ///< no missing part is known

  friend bool operator==(const MergedTranscript&, const MergedTranscript&) = default;
};

/// The contribution of one copy, as numbers of turns.
struct Contribution {
  std::size_t added = 0;      ///< turns that no other writer has
  std::size_t extended = 0;   ///< turns whose chosen text is the copy's
  std::size_t unchanged = 0;  ///< turns that other writers have as well or better
};

/// Limit on the work of one merge, in the unit of session/transcript/merge/merge_work.hpp: about a
/// second. Above it, copies are joined by ids and equal words alone. It is a constant, because a
/// transcript must be the same on every machine.
inline constexpr std::uint64_t merge_work_max = 32'000'000;

/// The merged transcript. O(n) for copies whose numbering agrees, O(n * m) at worst for two whose
/// numbering disagrees. The work is at most `merge_work_max` plus one pass over the input.
///
/// - `relay`: the relay's transcript, in the conversation's order; empty if it heard nothing.
/// - `copies`: all posted copies, in any order.
MergedTranscript merge(const FinalTranscript& relay, const std::vector<Copy>& copies);
/// The same, and also sets `brought` to the contribution of `copies[of]`. `work_max` replaces the
/// limit.
MergedTranscript merge(const FinalTranscript& relay, const std::vector<Copy>& copies,
                       std::size_t of, Contribution& brought,
                       std::uint64_t work_max = merge_work_max);

}  // namespace verbatim::transcript
