#include "server/relay/client_rejoin.hpp"

#include <utility>

#include "server/net/bridge_peer.hpp"
#include "server/net/from_callback.hpp"
#include "session/transcript/close_reason.hpp"

namespace verbatim::relay {

net::Awaitable<void> rejoin(Registry& registry, const std::string& session_id,
                            ReturningClient client, const access::Revocations& revocations,
                            Worker& worker, std::chrono::milliseconds close_timeout) {
  const auto released = std::make_shared<net::AsyncEvent>(worker.executor());
  using Left = std::shared_ptr<std::unique_ptr<net::Peer>>;
  const std::string credential_id = client.credential_id;
  client.connection =
      std::make_unique<net::BridgePeer>(std::move(client.connection), worker.executor(), released);
  const auto start = [&registry, &session_id, &client](auto done) {
    registry.join(session_id, std::move(client), [done](std::unique_ptr<net::Peer> left) mutable {
      done(std::make_shared<std::unique_ptr<net::Peer>>(std::move(left)));
    });
  };
  const Left left = co_await net::from_callback<Left>(worker.executor(), start);
  if (net::Peer* const alone = left->get()) {
    const net::Deadline deadline(worker.executor(), close_timeout, [alone] { alone->abort(); });
    std::string reason("the conversation has just ended; come back");
    co_await alone->close(transcript::close_code(transcript::CloseReason::server_shutdown),
                          std::move(reason));
    co_await alone->shut_down();
    left->reset();
  }
  if (revocations.contains(credential_id)) registry.end_connections_of(credential_id);
  co_await released->wait();
}

}  // namespace verbatim::relay
