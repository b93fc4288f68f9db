// Reads a body as JSON.
//
// Pure; any thread. Untrusted input.
#pragma once

#include <optional>
#include <string_view>

#include "base/json/tree.hpp"
#include "server/net/http_message.hpp"
#include "server/net/result.hpp"

namespace verbatim::requests {

/// 400 if the body is not JSON, with the place; nullopt if it is. The check bounds the depth, so it
/// comes before a tree is built, which takes recursion.
std::optional<net::HttpResponse> refuse_invalid_json(std::string_view body);

/// The body as an object. 400 if it is not JSON, or not an object.
net::Result<Json> read_object(std::string_view body);

}  // namespace verbatim::requests
