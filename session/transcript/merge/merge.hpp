// One transcript from many writers (P3): what the relay heard and every copy that was posted,
// joined. A function of the *set* of copies, so the result is the same whatever the order and the
// repetition of the posts; and since nothing given is ever dropped, a turn can not vanish.
//
// Pure. Rules, with their reasons: docs/merge.md. Source: the interface, section 4.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "session/transcript/merge/copy.hpp"
#include "session/transcript/transcript.hpp"
#include "session/transcript/turn.hpp"

namespace verbatim::session {

/// The name under which Verbatim's own turns stand.
inline constexpr const char* relay_writer = "relay";

/// What a writer had for a turn and another had better.
struct Version {
  std::string writer;
  TurnStatus status = TurnStatus::completed;
  Text text;

  friend bool operator==(const Version&, const Version&) = default;
};

struct MergedTurn : Turn {
  std::vector<std::string> writers;  ///< who has it, the relay first
  std::vector<Version> versions;     ///< other words for it, in a fixed order

  friend bool operator==(const MergedTurn&, const MergedTurn&) = default;
};

struct MergedTranscript {
  std::vector<MergedTurn> turns;  ///< ordinals 1..n
  std::vector<Gap> gaps;
  std::vector<std::string> writers;
  std::vector<ToolCall> tool_calls;  ///< the relay's: no other writer has any
  bool complete = false;             ///< nothing is known to be missing

  friend bool operator==(const MergedTranscript&, const MergedTranscript&) = default;
};

/// What one copy brought, in turns of the transcript.
struct Contribution {
  std::size_t added = 0;      ///< nobody else has them
  std::size_t extended = 0;   ///< its words are the better ones
  std::size_t unchanged = 0;  ///< others have them as well or better
};

/// What one merge may cost, as session/transcript/merge/merge_work.hpp counts it: about a second.
/// What is beyond is joined by ids and equal words alone. A constant, since a transcript must be
/// the same everywhere.
inline constexpr std::uint64_t merge_work_max = 32'000'000;

/// `relay`: what the relay heard, in the conversation's order; empty where it heard nothing.
/// O(n * m) in the worst case for two copies whose numbering disagrees, O(n) where it agrees; at
/// most `merge_work_max`, and what it takes to read all of them.
MergedTranscript merge(const FinalTranscript& relay, const std::vector<Copy>& copies);
/// The same, and what `copies[of]` brought.
MergedTranscript merge(const FinalTranscript& relay, const std::vector<Copy>& copies,
                       std::size_t of, Contribution& brought,
                       std::uint64_t work_max = merge_work_max);

}  // namespace verbatim::session
