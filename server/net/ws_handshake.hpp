// The upgrade of an HTTP connection to a WebSocket (RFC 6455, section 4), from both ends.
#pragma once

#include <memory>
#include <string>
#include <variant>

#include "server/net/http_message.hpp"
#include "server/net/ws_peer.hpp"

namespace verbatim::server {

/// Answers an upgrade request with 101. `protocol` is the subprotocol to select, empty for none.
/// Null if the connection broke meanwhile, or the request has no key. The caller sets a deadline on
/// the transport's socket.
Awaitable<std::unique_ptr<Peer>> accept_websocket(Transport transport, const HttpRequest& request,
                                                  std::string protocol, WebSocketLimits limits);

struct HandshakeRefused {
  int status = 0;      ///< HTTP status, 0 if there was no answer
  std::string reason;  ///< in our words, or the network's
  std::string code;    ///< the code in the provider's body, if it is a plain word; or empty
};

/// Asks for an upgrade. `host` and `target` go into the request line and Host header.
Awaitable<std::variant<std::unique_ptr<Peer>, HandshakeRefused>> open_websocket(
    Transport transport, std::string host, std::string target, HeaderList headers,
    WebSocketLimits limits);

}  // namespace verbatim::server
