#include "server/net/bridge_peer.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <utility>

namespace verbatim::net {

namespace {

/// Resumes the awaiting coroutine on its own executor.
constexpr asio::use_awaitable_t<Executor> here{};

}  // namespace

BridgePeer::BridgePeer(std::unique_ptr<Peer> connection, Executor home,
                       std::shared_ptr<AsyncEvent> released)
    : connection_(std::move(connection)), home_(std::move(home)), released_(std::move(released)) {}

BridgePeer::~BridgePeer() {
  // No operation uses the connection any more: this handler holds the last reference.
  asio::post(home_,
             [connection = std::move(connection_), released = std::move(released_)]() mutable {
               connection.reset();
               released->notify();
             });
}

Awaitable<Received> BridgePeer::read() {
  Received received = co_await asio::co_spawn(home_, connection_->read(), here);
  co_return received;
}

Sent BridgePeer::send(std::span<const Outgoing> events) {
  for (const Outgoing& event : events) unsent_.emplace_back(*event.bytes, event.frame);
  return {true, {}};
}

Awaitable<error_code> BridgePeer::drain() {
  error_code ec;
  while (!unsent_.empty() && !ec) {
    auto sending = send_there(*connection_, std::exchange(unsent_, {}));
    ec = co_await asio::co_spawn(home_, std::move(sending), here);
  }
  co_return ec;
}

Awaitable<error_code> BridgePeer::send_there(Peer& connection, Copies events) {
  std::vector<Outgoing> all;
  for (const auto& [bytes, frame] : events) all.push_back({&bytes, frame});
  const Sent sent = connection.send(all);
  if (!sent.waits) co_return sent.ec;
  co_return co_await connection.drain();
}

Awaitable<error_code> BridgePeer::ping() {
  const error_code ec = co_await asio::co_spawn(home_, connection_->ping(), here);
  co_return ec;
}

Awaitable<void> BridgePeer::close(std::uint16_t code, std::string reason) {
  co_await asio::co_spawn(home_, connection_->close(code, std::move(reason)), here);
}

Awaitable<void> BridgePeer::shut_down() {
  co_await asio::co_spawn(home_, connection_->shut_down(), here);
}

void BridgePeer::abort() {
  asio::post(home_, [connection = connection_] { connection->abort(); });
}

Clock::time_point BridgePeer::last_heard() const { return connection_->last_heard(); }

}  // namespace verbatim::net
