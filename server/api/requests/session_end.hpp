// Reads and checks the body of POST /v1/sessions/{id}/end.
//
// Pure; any thread. Untrusted input: a wrong one is refused with the response to send.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "server/net/result.hpp"

namespace verbatim::requests {

/// It goes into the client's event and a line of the log.
inline constexpr std::size_t end_reason_bytes_max = 256;

/// The operator's reason; empty: the body is empty or has none.
net::Result<std::string> read_end_reason(std::string_view body);

}  // namespace verbatim::requests
