// The result of a step of a request: a value, or the response that refuses the request.
//
//   Result<SessionRequest> read = read_session_request(body);
//   if (!read) co_return std::move(read).error();
#pragma once

#include <tl/expected.hpp>

#include "server/net/http_message.hpp"

namespace verbatim::net {

template <class T>
using Result = tl::expected<T, HttpResponse>;

/// `return Refusal(problem(...));` refuses.
using Refusal = tl::unexpected<HttpResponse>;

}  // namespace verbatim::net
