// What a trusted proxy says of a connection before its first byte (PROXY protocol v2).
//
// On the thread of the connection.
#pragma once

#include <chrono>
#include <optional>

#include "base/log.hpp"
#include "server/net/async.hpp"
#include "server/net/proxies.hpp"

namespace verbatim::server {

/// Reads the header where there is one, and nothing else: without one, what is first stays to be
/// read. Only a trusted proxy is listened to. Nothing if the header is wrong or does not come whole
/// within the limit: the connection is then of no use.
Awaitable<std::optional<Caller>> announced_caller(Socket& socket, Caller peer,
                                                  const TrustedProxies& proxies,
                                                  std::chrono::milliseconds limit, Log& log);

/// The address at the other end; empty if the connection is gone.
std::string address_of(const Socket& socket);

}  // namespace verbatim::server
