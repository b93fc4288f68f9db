// A client's connection as a session on another worker sees it. A TLS stream can not change its
// event loop, and a client that comes back may have been accepted by any worker: every operation is
// carried to the connection's own worker and its outcome back.
//
// Used on the session's thread; the connection behind it lives on its own and is destroyed there.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/net/peer.hpp"

namespace verbatim::server {

class BridgePeer final : public Peer {
 public:
  /// `released` is rung on `home` once the connection is gone.
  BridgePeer(std::unique_ptr<Peer> connection, Executor home, std::shared_ptr<AsyncEvent> released);
  ~BridgePeer() override;

  Awaitable<Received> read() override;
  /// They wait for drain(), which carries them over.
  Sent send(std::span<const Outgoing> events) override;
  Awaitable<error_code> drain() override;
  Awaitable<error_code> ping() override;
  Awaitable<void> close(std::uint16_t code, std::string reason) override;
  Awaitable<void> shut_down() override;
  void abort() override;
  Clock::time_point last_heard() const override;

 private:
  using Copies = std::vector<std::pair<std::string, Frame>>;
  static Awaitable<error_code> send_there(Peer& connection, Copies events);

  Copies unsent_;
  std::shared_ptr<Peer> connection_;
  Executor home_;
  std::shared_ptr<AsyncEvent> released_;
};

}  // namespace verbatim::server
