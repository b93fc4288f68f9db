// A client connection that lives on another worker than its session. A TLS stream cannot change its
// event loop, and any worker may accept a returning client. So each operation runs on the
// connection's own worker, and its result comes back.
//
// Used on the session's thread. Owns the connection, which lives and is destroyed on its own
// thread.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/net/peer.hpp"

namespace verbatim::net {

class BridgePeer final : public Peer {
 public:
  /// `released` is notified on `home`, the session's executor, once the connection is destroyed.
  BridgePeer(std::unique_ptr<Peer> connection, Executor home, std::shared_ptr<AsyncEvent> released);
  ~BridgePeer() override;

  Awaitable<Received> read() override;
  /// Keeps a copy of the events; drain() carries them to the connection's worker.
  Sent send(std::span<const Outgoing> events) override;
  Awaitable<error_code> drain() override;
  Awaitable<error_code> ping() override;
  Awaitable<void> close(std::uint16_t code, std::string reason) override;
  Awaitable<void> shut_down() override;
  void abort() override;
  Clock::time_point last_heard() const override;

 private:
  using Copies = std::vector<std::pair<std::string, FrameType>>;
  static Awaitable<error_code> send_there(Peer& connection, Copies events);

  Copies unsent_;
  std::shared_ptr<Peer> connection_;
  Executor home_;
  std::shared_ptr<AsyncEvent> released_;
};

}  // namespace verbatim::net
