// Reads and checks the bodies of POST /v1/sessions and PATCH /v1/sessions/{id}.
//
// Pure; any thread. Untrusted input: a wrong one is refused with the response to send.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "server/net/result.hpp"

namespace verbatim::requests {

/// Limit on a session's metadata and on its private metadata, each, as JSON. Every list shows them.
inline constexpr std::size_t metadata_bytes_max = 16 * 1024;

struct SessionRequest {
  std::string session_id;  ///< empty: none was named
  std::optional<std::string> user;
  std::string metadata = "{}";          ///< a JSON object
  std::string private_metadata = "{}";  ///< only back ends read it
};

/// An empty body leaves everything at its default.
net::Result<SessionRequest> read_session_request(std::string_view body);

}  // namespace verbatim::requests
