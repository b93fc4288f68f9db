// The id of a request (X-Request-Id): the one that a client or a proxy in front has given, or one
// of ours. It stands in every answer, in problem documents and in log lines. Pure, except for the
// random number; any thread.
#pragma once

#include <string>
#include <string_view>

#include "server/net/http_message.hpp"

namespace verbatim::net {

inline constexpr const char* request_id_header = "X-Request-Id";

/// Whether a peer's id may be used: 1 to 128 printable characters that need no escape in JSON or in
/// a log line.
bool is_request_id(std::string_view id);

/// A new id: `req_` and 26 characters that sort by time.
std::string new_request_id();

/// Adds the header; and `request_id` to a problem document if the peer has given the id, so that
/// equal requests get equal answers.
void add_request_id(HttpResponse& response, const std::string& id, bool given);

}  // namespace verbatim::net
