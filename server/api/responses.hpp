// Answers that several handlers of the API give.
//
// Pure; any thread.
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "server/net/http_message.hpp"
#include "server/relay/access/auth.hpp"
#include "storage/sqlite/error.hpp"

namespace verbatim::server {

/// What is not UTF-8 in it is replaced: ids are the provider's and may be anything.
HttpResponse json_response(const nlohmann::json& value, int status = 200);
/// With an ETag; 304 without the body if the request has it already.
HttpResponse tagged(const HttpRequest& request, HttpResponse response);
/// The tag of a body, quoted.
std::string tag_of(std::string_view body);
/// The same where the tag is known before the body is.
HttpResponse tagged(const HttpRequest& request, std::string_view tag,
                    const std::function<HttpResponse()>& make);
/// 401, in the form of the path.
HttpResponse unauthorized(const HttpRequest& request, const AuthFailure& failure);
/// Unknown, or another user's: who may not see it is not told that it is there.
HttpResponse not_found();
HttpResponse retry_later(HttpResponse response);

}  // namespace verbatim::server
