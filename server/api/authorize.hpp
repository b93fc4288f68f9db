// Which credential a call of the API needs, and whether a request has it.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "server/api/handler.hpp"
#include "server/net/result.hpp"

namespace verbatim::api {

enum class RequiredCredential { none, back_end, back_end_or_own_session, internal_service };

/// The caller, or why the call is refused. Reads the head of the request only. `id`: the {id} of
/// its path.
net::Result<access::Principal> authorize(const ApiServices& api, RequiredCredential needed,
                                         const net::HttpRequest& request, const std::string& id);

/// The refusal if a client token may not use the session. A back end may have put a session id into
/// it that came from a browser, so the token's user may not own that session. nullopt: it may.
net::Awaitable<std::optional<net::HttpResponse>> refuse_use_of_token(const ApiServices& api,
                                                                     const RequestContext& context);

/// Whether a call that lasts may go on: its token or back-end key has not been revoked.
std::function<bool()> may_go_on(const ApiServices& api, const RequestContext& context);

}  // namespace verbatim::api
