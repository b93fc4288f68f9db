// A client that connects to a conversation that is going on: its connection is handed to the
// session, on whatever thread that lives, and takes the place of the one before (P8).
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

namespace verbatim::server {

/// Returns when the connection is over. A session that has ended meanwhile leaves it to us: the
/// client is told to come back (1012), within `close_timeout`. `credential_id`:
/// Principal::credential_id().
Awaitable<void> rejoin(Registry& registry, const std::string& session_id,
                       std::unique_ptr<Peer> client, session::ClientReturn how,
                       const std::string& credential_id, const Revocations& revocations,
                       Worker& worker, std::chrono::milliseconds close_timeout);

}  // namespace verbatim::server
