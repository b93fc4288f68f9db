// The body of POST /v1/sessions and PATCH /v1/sessions/{id}, read and judged.
//
// Pure; any thread. Untrusted input: what is wrong with it comes back as the answer to give.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "server/http.hpp"

namespace verbatim::server {

struct SessionRequest {
  std::string session_id;  ///< empty: none was named
  std::optional<std::string> user;
  std::string metadata = "{}";  ///< a JSON object
};

/// An empty body asks for nothing in particular.
std::variant<SessionRequest, HttpResponse> read_session_request(std::string_view body,
                                                                std::size_t metadata_size_max);

}  // namespace verbatim::server
