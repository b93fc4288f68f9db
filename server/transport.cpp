#include "server/transport.hpp"

#include <array>

namespace verbatim::server {

Awaitable<void> hang_up(Socket& socket) {
  error_code ec;
  socket.shutdown(tcp::socket::shutdown_send, ec);
  std::array<char, 16 * 1024> ignored;
  while (!ec) {
    const auto buffer = asio::buffer(ignored);
    const auto [error, size] = co_await socket.async_read_some(buffer, use_tuple);
    ec = error;
  }
}

Awaitable<void> hang_up(TlsStream& stream) {
  co_await stream.async_shutdown(use_tuple);
  co_await hang_up(stream.next_layer());
}

}  // namespace verbatim::server
