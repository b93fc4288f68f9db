// A writer's copy of a conversation, as it was posted. The writer is never the relay.
//
// Plain values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session/transcript/turn.hpp"

namespace verbatim::transcript {

struct CopyTurn {
  std::optional<int> ordinal;  ///< the writer's number: from 0 or from 1, possibly with holes
  std::string item_id;         ///< empty: the writer has none
  Role role = Role::unknown;
  TurnStatus status = TurnStatus::completed;
  Text text;
  std::optional<TimeMs> started_at;
  std::optional<TimeMs> ended_at;

  friend bool operator==(const CopyTurn&, const CopyTurn&) = default;
};

struct Copy {
  std::string writer;  ///< never "relay", which names Verbatim's own transcript
  std::vector<CopyTurn> turns;

  friend bool operator==(const Copy&, const Copy&) = default;
};

/// The stored form of a copy's turns: one JSON list. Equal turns give equal bytes.
std::string encode_turns(const std::vector<CopyTurn>& turns);
/// nullopt if `stored` is not an output of encode_turns().
std::optional<std::vector<CopyTurn>> decode_turns(std::string_view stored);

}  // namespace verbatim::transcript
