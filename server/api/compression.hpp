// gzip for answers that are long text, if the client accepts it.
//
// The work is done on a merger's thread, in turn with that of others, so that no conversation waits
// for it. An answer that has to wait too long there is sent as it is.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "server/api/api_parts.hpp"
#include "server/api/request_context.hpp"
#include "server/net/async.hpp"

namespace verbatim::api {

/// Whether Accept-Encoding admits gzip (RFC 9110, 12.5.3).
bool accepts_gzip(std::string_view accept_encoding);

/// nullopt: memory is short.
std::optional<std::string> gzip(std::string_view bytes);

/// Whether the answer to this request may be compressed: a session or a transcript, and long
/// enough. Answers with tokens are not: their length would depend on what is secret.
bool is_compressible(const net::HttpRequest& request, const net::HttpResponse& response);

/// The answer, compressed if that is possible and accepted.
net::Awaitable<net::HttpResponse> compressed(const ApiServices& api, const RequestContext& context,
                                             net::HttpResponse response);

}  // namespace verbatim::api
