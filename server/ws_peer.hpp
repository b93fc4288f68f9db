// Peers over Beast's WebSocket stream: both roles, over TLS or not.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <variant>

#include "server/http.hpp"
#include "server/peer.hpp"
#include "server/transport.hpp"

namespace verbatim::server {

struct WebSocketLimits {
  std::size_t message_bytes_max = 1024 * 1024;
};

/// Answers an upgrade request with 101. `protocol` is the subprotocol to select, empty for none.
/// Null if the connection broke meanwhile. The caller sets a deadline on the transport's socket.
Awaitable<std::unique_ptr<Peer>> accept_websocket(Transport transport, const HttpRequest& request,
                                                  std::string protocol, WebSocketLimits limits);

struct HandshakeRefused {
  int status = 0;      ///< HTTP status, 0 if there was no answer
  std::string reason;  ///< the provider's body, or what the network said
};

/// Asks for an upgrade. `host` and `target` go into the request line and Host header.
Awaitable<std::variant<std::unique_ptr<Peer>, HandshakeRefused>> open_websocket(
    Transport transport, std::string host, std::string target, HeaderList headers,
    WebSocketLimits limits);

}  // namespace verbatim::server
