#include "server/net/announced_caller.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/read.hpp>
#include <cerrno>
#include <string>
#include <utility>

namespace verbatim::net {
namespace {

void wait_for_bytes(Socket& socket, int bytes) {
  error_code ignored;
  socket.set_option(asio::socket_base::receive_low_watermark(bytes), ignored);
}

/// Whether the connection begins with a PROXY protocol v2 header. Only peeks at the bytes.
Awaitable<bool> begins_with_header(Socket& socket) {
  std::array<char, proxy_protocol::head_bytes> first{};
  std::size_t seen = 0;
  while (true) {
    const auto [ec] = co_await socket.async_wait(Socket::wait_read, use_tuple);
    if (ec) co_return false;
    const auto got =
        ::recv(socket.native_handle(), first.data(), first.size(), MSG_PEEK | MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    // No more than before: the peer has ended its half.
    if (got <= 0 || static_cast<std::size_t>(got) == seen) co_return false;
    seen = static_cast<std::size_t>(got);
    const std::size_t comparable = std::min(seen, proxy_protocol::signature.size());
    if (!std::equal(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(comparable),
                    proxy_protocol::signature.begin()))
      co_return false;
    if (seen == first.size()) co_return true;
    // An HTTP client may send the same first bytes as empty lines. A request behind them is longer
    // than the head.
    wait_for_bytes(socket, static_cast<int>(first.size()));
  }
}

/// Reads head and body. Returns what came if the rest cannot be read.
Awaitable<std::string> read_header(Socket& socket) {
  std::string header(proxy_protocol::head_bytes, '\0');
  const auto head = asio::buffer(header);
  auto [ec, size] = co_await asio::async_read(socket, head, use_tuple);
  const auto more = proxy_protocol::body_bytes(header);
  if (ec || !more || *more == 0) co_return header;
  header.resize(header.size() + *more);
  const auto body = asio::buffer(header) + proxy_protocol::head_bytes;
  std::tie(ec, size) = co_await asio::async_read(socket, body, use_tuple);
  header.resize(proxy_protocol::head_bytes + size);
  co_return header;
}

}  // namespace

Awaitable<std::optional<Caller>> announced_caller(Socket& socket, Caller peer,
                                                  const TrustedProxies& proxies,
                                                  std::chrono::milliseconds limit, Log& log) {
  if (!proxies.trusts(peer.address)) co_return std::optional<Caller>(std::move(peer));
  const Deadline deadline(socket.get_executor(), limit, [&socket] {
    error_code gone;
    socket.close(gone);
  });
  const bool begins = co_await begins_with_header(socket);
  if (!socket.is_open()) co_return std::nullopt;
  wait_for_bytes(socket, 1);
  if (!begins) co_return std::optional<Caller>(std::move(peer));
  const std::string header = co_await read_header(socket);
  auto read = proxy_protocol::read(header, peer);
  if (!read) {
    const std::string why = "the PROXY protocol header " + read.error().why;
    log.repeated(Repeated::proxy_header, {{"remote", peer.address}, {"why", why}});
    co_return std::nullopt;
  }
  co_return std::optional<Caller>(*std::move(read));
}

std::string address_of(const Socket& socket) {
  error_code ec;
  const auto endpoint = socket.remote_endpoint(ec);
  return ec ? std::string() : plain_address(endpoint.address().to_string());
}

}  // namespace verbatim::net
