// The first steps of a connection to another server: name lookup, TCP, TLS with verification.
//
// On the executor's thread. Failures are values: sentences for the log. The caller sets the time
// limit by `abort`, which these functions set while they wait.
#pragma once

#include <functional>
#include <string>
#include <tl/expected.hpp>

#include "server/net/transport.hpp"

namespace verbatim::net {

/// Calling it ends the wait at once; null: nothing waits.
using AbortDial = std::function<void()>;

/// Connects to the first address of `host` that answers.
Awaitable<tl::expected<Socket, std::string>> connect_to(Executor executor, std::string host,
                                                        std::string port, AbortDial& abort);

/// Begins TLS on a connected socket. The peer must prove that it is `host`. Leaves `abort` as it
/// is. `context`: from client_context().
Awaitable<tl::expected<Transport, std::string>> secure(Socket socket, SSL_CTX* context,
                                                       std::string host);

/// Lets `abort` end every later wait on this socket, in all layers above it.
void abort_by_shutdown(Socket& socket, AbortDial& abort);

}  // namespace verbatim::net
