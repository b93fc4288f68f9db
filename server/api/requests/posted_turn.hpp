// One turn of a posted copy, in any of the forms in which agents, browsers and their frameworks
// keep one: the API's, the provider's items, OpenAI's chat messages, LiveKit's history.
//
// Pure; any thread. Untrusted input. An unreadable part costs that part or its turn, never other
// turns.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/tree_fwd.hpp"
#include "config/settings.hpp"
#include "session/transcript/merge/copy.hpp"

namespace verbatim::requests {

/// A posted turn as it was read.
struct PostedTurn {
  enum class Outcome {
    kept,
    not_a_turn,  ///< a tool's call or result, an instruction: nothing that was said
    too_large,
    unreadable,
  };
  Outcome outcome = Outcome::kept;
  transcript::CopyTurn turn;
  std::optional<int> attempt;         ///< if a turn names its own
  std::vector<std::string> problems;  ///< why it was not kept, or what of it was not
};

PostedTurn read_posted_turn(const Json& given, const config::Posts& limits);

/// The first of these members that is there and not null.
const Json* member(const Json& object, std::initializer_list<const char*> names);
/// A whole number, also as a string or with a fraction of zero. nullopt if it is not a whole
/// number, or out of range.
std::optional<int> whole_number(const Json& given, int least);

}  // namespace verbatim::requests
