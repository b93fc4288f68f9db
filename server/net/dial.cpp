#include "server/net/dial.hpp"

#include <sys/socket.h>

#include <boost/asio/connect.hpp>
#include <utility>

#include "base/url.hpp"
#include "server/net/name_lookup.hpp"
#include "server/net/tls.hpp"

namespace verbatim::net {

Awaitable<tl::expected<Socket, std::string>> connect_to(Executor executor, std::string host,
                                                        std::string port, AbortDial& abort) {
  const Addresses found = co_await look_up(executor, host, port, abort);
  if (found.error)
    co_return tl::unexpected("cannot resolve " + host + ": " + found.error.message());
  Socket socket(executor);
  abort = [&socket] {
    error_code ignored;
    socket.close(ignored);
  };
  const auto [ec, endpoint] = co_await asio::async_connect(socket, found.endpoints, use_tuple);
  abort = nullptr;
  if (ec || !socket.is_open())
    co_return tl::unexpected("cannot connect to " + authority(host, port) + ": " + ec.message());
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  co_return std::move(socket);
}

Awaitable<tl::expected<Transport, std::string>> secure(Socket socket, SSL_CTX* context,
                                                       std::string host) {
  Transport stream(std::move(socket), context);
  expect_host(stream.tls(), host);
  if (const error_code ec = co_await stream.handshake(Transport::Role::client))
    co_return tl::unexpected("no secure connection to " + host + ": " + ec.message());
  co_return std::move(stream);
}

void abort_by_shutdown(Socket& socket, AbortDial& abort) {
  // The socket moves from layer to layer; its descriptor stays.
  abort = [descriptor = socket.native_handle()] { ::shutdown(descriptor, SHUT_RDWR); };
}

}  // namespace verbatim::net
