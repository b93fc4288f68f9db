// The upgrade of an HTTP connection to a WebSocket (RFC 6455, section 4), from both ends.
//
// On the connection's thread. Takes the transport over. Errors are values.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "server/net/http_message.hpp"
#include "server/net/ws_peer.hpp"

namespace verbatim::net {

/// Whether this is a valid Sec-WebSocket-Key: 16 bytes in base64.
bool is_websocket_key(std::string_view key);

/// The answer 101 to an upgrade request.
/// `protocol`: the subprotocol to select; empty for none.
/// `request_id`: for X-Request-Id.
std::string upgrade_answer(std::string_view key, std::string_view protocol,
                           std::string_view request_id);

/// Answers an upgrade request with 101. Returns null if the connection broke, or the request has no
/// key. The caller sets a deadline on the transport's socket.
/// `protocol`: the subprotocol to select; empty for none.
/// `limits`: limits of the new WebSocket.
Awaitable<std::unique_ptr<Peer>> accept_websocket(Transport transport, const HttpRequest& request,
                                                  std::string protocol, WebSocketLimits limits);

struct HandshakeRefused {
  int status = 0;      ///< HTTP status; 0 if there was no answer
  std::string reason;  ///< a description, or the network error
  std::string code;    ///< error code in the provider's body if it is a plain word; otherwise empty
};

/// Asks the provider for an upgrade. The caller sets a deadline on the transport's socket.
/// `host`: value of the Host header.
/// `target`: request target, query included.
/// `headers`: further headers of the request.
/// `limits`: limits of the new WebSocket.
Awaitable<tl::expected<std::unique_ptr<Peer>, HandshakeRefused>> open_websocket(
    Transport transport, std::string host, std::string target, HeaderList headers,
    WebSocketLimits limits);

}  // namespace verbatim::net
