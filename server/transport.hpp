// A connected byte stream: TCP, or TLS over it. What HTTP and WebSocket run on.
#pragma once

#include <boost/asio/ssl/stream.hpp>
#include <variant>

#include "server/await.hpp"

namespace verbatim::server {

using TlsStream = asio::ssl::stream<Socket>;
using Transport = std::variant<Socket, TlsStream>;

inline Socket& socket_of(Socket& socket) { return socket; }
inline TlsStream::lowest_layer_type& socket_of(TlsStream& stream) { return stream.lowest_layer(); }

/// Ends our half, in TLS's own words where there is TLS, and reads away what still comes until the
/// peer has ended its own: to close over unread bytes is a reset, which may overtake what was said
/// last. The caller sets the limit, by closing the socket.
Awaitable<void> hang_up(Socket& socket);
Awaitable<void> hang_up(TlsStream& stream);

}  // namespace verbatim::server
