// The body of POST /v1/erasures, read and judged.
//
// Pure; any thread. Untrusted input: a wrong one is refused with the response to send.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "server/net/result.hpp"

namespace verbatim::requests {

/// Limit for one call.
inline constexpr std::size_t erased_sessions_max = 100;

/// The ids of the sessions to erase, each once.
net::Result<std::vector<std::string>> read_erasure_request(std::string_view body);

}  // namespace verbatim::requests
