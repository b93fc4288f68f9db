// A writer's copy of a conversation: what somebody other than the relay heard, as it was posted.
//
// Plain values. Source: the interface, section 4.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session/transcript/turn.hpp"

namespace verbatim::session {

struct CopyTurn {
  std::optional<int> ordinal;  ///< as the writer counts: from 0, from 1, with holes
  std::string item_id;         ///< empty: the writer knows none
  Role role = Role::unknown;
  TurnStatus status = TurnStatus::completed;
  Text text;
  std::optional<TimeMs> started_at;
  std::optional<TimeMs> ended_at;

  friend bool operator==(const CopyTurn&, const CopyTurn&) = default;
};

struct Copy {
  std::string writer;  ///< never "relay": that is what Verbatim itself heard
  std::vector<CopyTurn> turns;

  friend bool operator==(const Copy&, const Copy&) = default;
};

/// The turns of a copy as they are stored: one JSON list. The same turns give the same bytes.
std::string encode_turns(const std::vector<CopyTurn>& turns);
/// nullopt if encode_turns() could not have made this.
std::optional<std::vector<CopyTurn>> decode_turns(std::string_view stored);

}  // namespace verbatim::session
