// Writes HTTP answers to a connection. On the connection's thread. A network error ends the
// connection; it is not reported.
#pragma once

#include "base/log.hpp"
#include "server/net/async.hpp"
#include "server/net/http_message.hpp"
#include "server/net/transport.hpp"

namespace verbatim::net {

/// Properties of a request that its answer depends on.
struct Wanted {
  bool head = false;        ///< HEAD: no body
  bool http_1_0 = false;    ///< the peer knows neither chunks nor implicit keep-alive
  bool keep_alive = false;  ///< the connection may stay open
};

/// Adds `Cache-Control: no-store` to a refusal that no route made.
HttpResponse uncached(HttpResponse refusal);

/// Writes an answer. Returns whether the connection stays open.
Awaitable<bool> write_response(Transport& stream, HttpResponse answer, Wanted wanted);

/// Writes an answer whose body is produced while it is sent (HttpResponse::source).
/// The connection closes afterwards: for an HTTP/1.0 peer this is the end of the body.
Awaitable<void> write_from(Transport& stream, const HttpResponse& answer, bool chunked, Log& log);

/// Closes after an answer: the peer gets a moment to read it.
Awaitable<void> linger_close(Transport& stream);

}  // namespace verbatim::net
