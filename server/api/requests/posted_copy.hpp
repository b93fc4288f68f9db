// Reads and checks the body of POST .../transcript: a writer's copy of a conversation. Takes the
// names of the API and those of the product that Verbatim replaces.
//
// Pure; any thread. Untrusted input. A body that is not a copy is refused. The faults of single
// turns are listed.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"
#include "server/net/result.hpp"
#include "session/transcript/merge/copy.hpp"

namespace verbatim::requests {

/// A turn that was not kept, or a part of one.
struct Skipped {
  std::size_t index = 0;  ///< in the list that was posted
  std::string why;
};

struct PostedBody {
  std::optional<int> attempt;  ///< none: the current one
  std::string writer;          ///< empty: it does not say
  std::vector<transcript::CopyTurn> turns;
  std::string encoded;  ///< the turns, as they are stored
  std::vector<Skipped> skipped;
};

/// One turn, a list of turns, or an object with `turns`.
net::Result<PostedBody> read_posted_copy(std::string_view body, const config::Posts& limits);

}  // namespace verbatim::requests
