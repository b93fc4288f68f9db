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

}  // namespace verbatim::server
