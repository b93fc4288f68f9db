// The form of a handler: a free function that answers one call of the API.
#pragma once

#include "server/api/api_parts.hpp"
#include "server/api/request_context.hpp"
#include "server/net/async.hpp"

namespace verbatim::api {

/// Runs on the worker of the request's connection. Both arguments outlive the call.
using Handler = net::Awaitable<net::HttpResponse>(const ApiServices&, RequestContext&);

}  // namespace verbatim::api
