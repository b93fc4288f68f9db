// The body of POST .../transcript, read and judged: a writer's copy of a conversation. Takes the
// names of the interface and those of the product that Verbatim replaces.
//
// Pure; any thread. Untrusted input: what is wrong with it comes back as the answer to give, with
// its place.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "config/settings.hpp"
#include "server/http.hpp"
#include "session/copy.hpp"

namespace verbatim::server {

struct PostedBody {
  std::optional<int> attempt;  ///< none: the current one
  std::string writer;          ///< empty: it does not say
  std::vector<session::CopyTurn> turns;
};

/// One turn, a list of turns, or an object with `turns`.
std::variant<PostedBody, HttpResponse> read_posted_copy(std::string_view body,
                                                        const config::Posts& limits);

}  // namespace verbatim::server
