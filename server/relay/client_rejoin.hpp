// Hands the connection of a returning client to its running session, on the session's thread, where
// it replaces the previous connection (P8).
//
// On the worker that accepted the connection.
#pragma once

#include <memory>
#include <string>

#include "server/net/peer.hpp"
#include "server/relay/access/revocations.hpp"
#include "server/relay/session_registry.hpp"
#include "server/relay/worker.hpp"
#include "session/realtime_session.hpp"

namespace verbatim::relay {

/// Returns when the connection has ended. If the session has ended meanwhile, closes the client
/// with 1012 (reconnect) within `close_timeout`.
/// `registry`: finds the session `session_id`.
/// `client`: the returning client.
/// `revocations`: checked after the client has joined.
/// `worker`: the accepting worker.
net::Awaitable<void> rejoin(Registry& registry, const std::string& session_id,
                            ReturningClient client, const access::Revocations& revocations,
                            Worker& worker, std::chrono::milliseconds close_timeout);

}  // namespace verbatim::relay
