// Which credential a call of the API needs, and whether a request has it.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "server/api/handler.hpp"
#include "server/net/result.hpp"

namespace verbatim::server {

enum class RequiredCredential { none, back_end, back_end_or_own_session, internal_service };

/// The caller, or why the call is refused. Reads the head of the request only. `id`: the {id} of
/// its path.
Result<Principal> authorize(const ApiServices& api, RequiredCredential needed,
                            const HttpRequest& request, const std::string& id);

/// Why a client token is not good for the session: the token's user may not own it, since a back
/// end may have named a session id that it got from a browser. nullopt: it is good.
Awaitable<std::optional<HttpResponse>> refuse_use_of_token(const ApiServices& api,
                                                           const RequestContext& context);

/// Whether a call that lasts may go on: its token or back-end key has not been revoked.
std::function<bool()> may_go_on(const ApiServices& api, const RequestContext& context);

}  // namespace verbatim::server
