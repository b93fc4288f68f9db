// The body of POST /v1/sessions and PATCH /v1/sessions/{id}, read and judged.
//
// Pure; any thread. Untrusted input: a wrong one is refused with the response to send.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "server/net/result.hpp"

namespace verbatim::requests {

/// Of a session's metadata and of its private half, each, as JSON: they are shown in every list.
inline constexpr std::size_t metadata_bytes_max = 16 * 1024;

struct SessionRequest {
  std::string session_id;  ///< empty: none was named
  std::optional<std::string> user;
  std::string metadata = "{}";          ///< a JSON object
  std::string private_metadata = "{}";  ///< the half of it that only back ends read
};

/// An empty body asks for nothing in particular.
net::Result<SessionRequest> read_session_request(std::string_view body);

}  // namespace verbatim::requests
