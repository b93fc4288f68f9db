// The parts of a transcript as plain values. Names and
// meanings: server/api/openapi.json.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/text.hpp"

namespace verbatim::transcript {

enum class Role : std::uint8_t { unknown = 0, user = 1, assistant = 2, system = 3 };
inline constexpr std::size_t role_count = 4;

/// Numbers are stored; never renumber.
enum class TurnStatus : std::uint8_t {
  in_progress = 0,
  completed = 1,
  interrupted = 2,  ///< cut off by a close, a crash or the provider; see `reason`
  cancelled = 3,    ///< its response was cancelled
  truncated = 4,    ///< talked over; `heard` says how much was played
  failed = 5,       ///< its transcription or response failed; see `reason`
};
inline constexpr std::size_t turn_status_count = 6;

/// How much of a spoken turn was played before the user talked over it.
struct Heard {
  std::int64_t audio_ms = 0;  ///< from the provider's own `truncated` event
  /// An estimate, always a prefix of the turn's text; empty: nothing was heard. nullopt: unknown,
  /// because the length of the audio is not known.
  std::optional<Text> text;

  friend bool operator==(const Heard&, const Heard&) = default;
};

struct Turn {
  int ordinal = 0;  ///< place in the conversation's item chain, from 1
  std::string item_id;
  Role role = Role::unknown;
  TurnStatus status = TurnStatus::in_progress;
  Text text;
  std::optional<Heard> heard;
  std::string reason;  ///< for failed, cancelled and interrupted turns, if the provider gave one
  bool deleted = false;
  std::string response_id;
  std::optional<TimeMs> started_at;
  std::optional<TimeMs> ended_at;
  std::int64_t audio_ms = 0;  ///< playing time of an answer; 0: not known
  /// How long the client waited for the answer's first audio. nullopt: not measured, or this is not
  /// the first turn of the answer. Filled when a stored transcript is read.
  std::optional<std::int64_t> first_audio_ms = {};

  friend bool operator==(const Turn&, const Turn&) = default;
};

/// Number of turns by role and status; the values of the enums are the indices.
using TurnCounts = std::array<std::array<std::size_t, turn_status_count>, role_count>;

enum class GapKind : std::uint8_t {
  uncommitted_speech = 0,    ///< speech began, was never committed and gave no text
  failed_transcription = 1,  ///< committed speech whose transcription failed or never came
  unacknowledged_item = 2,   ///< a client's item that the provider had not yet accepted
  missing_position = 3,      ///< the writers' numbers skip a turn that no copy has
  unplaced_text = 4,         ///< the provider sent possible text that no turn can hold
  tail_pending = 5,          ///< the newest words may be on a node that cannot be asked
};
inline constexpr std::size_t gap_kind_count = 6;

/// A part that is known to be missing (P13).
struct Gap {
  std::string item_id;  ///< empty if the provider had not named the item yet
  GapKind kind = GapKind::uncommitted_speech;
  int after = 0;  ///< for missing_position and unplaced_text: the ordinal of the turn before it
  int count = 0;  ///< for unplaced_text: the number of messages

  friend bool operator==(const Gap&, const Gap&) = default;
};

std::string_view to_string(Role);
std::string_view to_string(TurnStatus);
std::string_view to_string(GapKind);
std::optional<Role> role_from_string(std::string_view);
std::optional<TurnStatus> turn_status_from_string(std::string_view);
std::optional<GapKind> gap_kind_from_string(std::string_view);

}  // namespace verbatim::transcript
