// Lines of a conversation, and the turns that a writer's copy has of them.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "session/transcript/merge/merge.hpp"
#include "tests/session/transcript/stream.hpp"

namespace verbatim::session::test {

inline constexpr transcript::Role user = transcript::Role::user;
inline constexpr transcript::Role assistant = transcript::Role::assistant;

struct Line {
  transcript::Role role = transcript::Role::user;
  std::string words;

  friend bool operator==(const Line&, const Line&) = default;
};
using Lines = std::vector<Line>;

inline transcript::CopyTurn copied(
    transcript::Role role, std::string words, std::optional<int> ordinal = {}, std::string id = {},
    transcript::TurnStatus status = transcript::TurnStatus::completed) {
  transcript::CopyTurn turn;
  turn.role = role;
  turn.text = text(std::move(words));
  turn.ordinal = ordinal;
  turn.item_id = std::move(id);
  turn.status = status;
  return turn;
}

}  // namespace verbatim::session::test
