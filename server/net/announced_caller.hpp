// Reads the PROXY protocol v2 header that a trusted proxy sends before the first byte of a
// connection.
//
// On the connection's thread. Errors are logged.
#pragma once

#include <chrono>
#include <optional>

#include "base/log.hpp"
#include "server/net/async.hpp"
#include "server/net/proxies.hpp"

namespace verbatim::net {

/// The client that the header names, or `peer` if there is no header or the peer is not trusted.
/// Reads only the header. Empty if the header is malformed or incomplete at the deadline; the
/// connection must be closed then.
/// `peer`: the other end of the connection.
/// `proxies`: the proxies whose headers are read.
/// `limit`: time for the whole header.
Awaitable<std::optional<Caller>> announced_caller(Socket& socket, Caller peer,
                                                  const TrustedProxies& proxies,
                                                  std::chrono::milliseconds limit, Log& log);

/// Address of the other end; empty if the connection is gone.
std::string address_of(const Socket& socket);

}  // namespace verbatim::net
