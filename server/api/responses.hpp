// Responses that several handlers of the API send.
//
// Pure; any thread.
#pragma once

#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/json/tree_fwd.hpp"
#include "server/net/http_message.hpp"
#include "server/relay/access/auth.hpp"

namespace verbatim::access {
class IdGuard;
}  // namespace verbatim::access
namespace verbatim::recording {
struct Trouble;
}  // namespace verbatim::recording

namespace verbatim::api {

/// Bytes that are not UTF-8 are replaced: ids are the provider's and may hold any.
net::HttpResponse json_response(const Json& value, int status = 200);
/// With an ETag; 304 without the body if the request has it already.
net::HttpResponse tagged(const net::HttpRequest& request, net::HttpResponse response);
/// The tag of a body, quoted.
std::string tag_of(std::string_view body);
/// The same where the tag is known before the body is.
net::HttpResponse tagged(const net::HttpRequest& request, std::string_view tag,
                         const std::function<net::HttpResponse()>& make);
/// 401, in the form of the path.
net::HttpResponse unauthorized(const net::HttpRequest& request, const access::AuthFailure& failure);
/// 404 for a session that is unknown or another user's: the answer does not show which.
net::HttpResponse not_found();
/// 409 if a key is missing, else 500.
net::HttpResponse unreadable_recording(const recording::Trouble& trouble);
net::HttpResponse retry_later(net::HttpResponse response);
/// 204.
net::HttpResponse no_content();
/// 400 if one of these fields has a key or a token for its value.
std::optional<net::HttpResponse> refuse_secrets(
    const access::IdGuard& ids,
    std::initializer_list<std::pair<const char*, std::string_view>> fields);

}  // namespace verbatim::api
