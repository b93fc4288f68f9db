#include "server/fleet/peers/tunnel.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "server/net/ws_frame.hpp"

namespace verbatim::peers {

namespace {

/// A TLS record. All tunnels of a thread share it: its bytes are passed on before other code runs.
using Scratch = std::array<char, SSL3_RT_MAX_PLAIN_LENGTH>;
/// After this many bytes without a wait, a tunnel yields to others.
constexpr std::size_t turn_bytes_max = 64 * 1024;
/// Time for the last bytes, and for the rest of a frame before the tunnel stops.
constexpr auto end_time = std::chrono::seconds(1);
/// The node gives up a client that takes nothing earlier (session.slow_client_timeout).
constexpr auto slow_client_time = std::chrono::minutes(1);
constexpr std::string_view come_back = "the relay of this session is gone; come back";

/// As for a client of this node: the rest stays at the node, where it is counted.
void limit_unsent(net::Transport& stream) {
  const int bytes_max = 32 * 1024;
  ::setsockopt(stream.socket().native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes_max,
               sizeof bytes_max);
}

std::string close_frame(std::uint16_t code, std::string_view reason) {
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
  payload += reason;
  const auto head = net::frame_head(net::WsRole::server, net::Opcode::close, payload.size(), 0);
  return std::string(head.bytes.data(), head.size) + payload;
}

}  // namespace

Tunnel::Tunnel(net::Transport client, net::Transport node)
    : client_(std::move(client)), node_(std::move(node)), copies_(client_.get_executor()) {
  limit_unsent(client_);
  limit_unsent(node_);
}

/// Waits only for the room that the peer makes. Returns false if it will not take the bytes.
net::Awaitable<bool> Tunnel::pass(net::Transport& to, std::string_view bytes) {
  // The scratch buffer is another tunnel's while we wait.
  const std::string rest(bytes);
  bytes = rest;
  // The node ends a client that takes nothing. While we wait here we do not read that end.
  std::optional<net::Deadline> deadline;
  if (&to == &client_) {
    deadline.emplace(to.get_executor(), slow_client_time, [this] {
      error_code ignored;
      client_.socket().close(ignored);
    });
  }
  while (!bytes.empty()) {
    const auto sent = to.try_write(asio::buffer(bytes.data(), bytes.size()));
    if (sent.ec) co_return false;
    bytes.remove_prefix(sent.bytes);
    if (!sent.waits) continue;
    const auto [ec] = co_await to.wait(sent.for_what, net::use_tuple);
    const bool cancelled = ec == asio::error::operation_aborted && to.socket().is_open();
    if (ec && !cancelled) co_return false;
  }
  co_return true;
}

/// Returns false if `to` did not take everything.
net::Awaitable<bool> Tunnel::copy(net::Transport& from, net::Transport& to, FrameTracker* passed) {
  static thread_local Scratch scratch;
  std::size_t without_waiting = 0;
  while (!may_end()) {
    const auto got = from.try_read(asio::buffer(scratch));
    if (got.ec) break;
    if (got.waits) {
      without_waiting = 0;
      const auto [ec] = co_await from.wait(got.for_what, net::use_tuple);
      if (ec && (ec != asio::error::operation_aborted || !from.socket().is_open())) break;
      continue;
    }
    const std::string_view bytes(scratch.data(), got.bytes);
    if (passed != nullptr) passed->take(bytes);
    // At once, as a rule: another coroutine for each read would allocate a frame.
    const auto sent = to.try_write(asio::buffer(bytes.data(), bytes.size()));
    if (sent.ec) co_return false;
    if (sent.bytes < bytes.size() && !co_await pass(to, bytes.substr(sent.bytes))) co_return false;
    without_waiting += got.bytes;
    if (without_waiting <= turn_bytes_max) continue;
    without_waiting = 0;
    co_await asio::post(from.get_executor(), asio::use_awaitable_t<net::Executor>());
  }
  co_return true;
}

net::Awaitable<void> Tunnel::copy_from_client() {
  const auto self = shared_from_this();
  const bool taken = co_await copy(client_, node_, nullptr);
  // If the node did not take it, it is the node that ends: it may have sent a last message.
  if (taken && !over_ && !stopping_) {
    client_ended_ = true;
    over_ = true;
    error_code ignored;
    client_.socket().close(ignored);
    node_.socket().cancel(ignored);
  }
  copies_.leave();
}

/// Sends the client what it still must get, and closes its connection.
net::Awaitable<void> Tunnel::end_client(bool ask_to_return) {
  const net::Deadline deadline(client_.get_executor(), end_time, [this] {
    error_code ignored;
    client_.socket().close(ignored);
  });
  if (ask_to_return) co_await pass(client_, close_frame(net::close_codes::restart, come_back));
  co_await client_.shut_down();
}

net::Awaitable<void> Tunnel::run(std::string early) {
  const auto self = shared_from_this();
  copies_.enter();
  asio::co_spawn(client_.get_executor(), copy_from_client(), asio::detached);
  frames_.take(early);
  bool whole = co_await pass(client_, early);
  std::string().swap(early);
  whole = whole && co_await copy(node_, client_, &frames_);
  over_ = true;
  error_code ignored;
  if (client_ended_) {
    co_await copies_.joined();
    // Its last bytes, which may be a close frame, must arrive: they end the session in another way.
    const net::Deadline deadline(node_.get_executor(), end_time, [this] {
      error_code gone;
      node_.socket().close(gone);
    });
    co_await node_.shut_down();
    co_return;
  }
  node_.socket().close(ignored);
  client_.socket().cancel(ignored);
  co_await copies_.joined();
  co_await end_client(whole && frames_.between_frames() && !frames_.closed());
}

void Tunnel::stop() {
  if (std::exchange(stopping_, true)) return;
  stop_deadline_.emplace(client_.get_executor(), end_time, [this] {
    error_code ignored;
    node_.socket().close(ignored);
    client_.socket().close(ignored);
  });
  error_code ignored;
  node_.socket().cancel(ignored);
  client_.socket().cancel(ignored);
}

}  // namespace verbatim::peers
