// Adapts a client that sends and receives audio as binary frames (`audio=binary`) to the event
// interface. session/protocol/audio_frame.hpp defines the frames.
//
// On the thread of the connection, which it owns.
#pragma once

#include <memory>

#include "server/net/peer.hpp"
#include "session/protocol/provider_dialect.hpp"

namespace verbatim::relay {

class BinaryAudioPeer final : public net::Peer {
 public:
  /// `dialect`: the protocol of the events.
  BinaryAudioPeer(std::unique_ptr<net::Peer> connection, const protocol::ProviderDialect& dialect)
      : connection_(std::move(connection)), dialect_(dialect) {}

  net::Awaitable<net::Received> read() override;
  net::Sent send(std::span<const net::Outgoing> events) override;
  net::Awaitable<error_code> drain() override { return connection_->drain(); }
  net::Awaitable<error_code> ping() override { return connection_->ping(); }
  net::Awaitable<void> close(std::uint16_t code, std::string reason) override {
    return connection_->close(code, std::move(reason));
  }
  net::Awaitable<void> shut_down() override { return connection_->shut_down(); }
  void abort() override { connection_->abort(); }
  net::Clock::time_point last_heard() const override { return connection_->last_heard(); }

 private:
  std::unique_ptr<net::Peer> connection_;
  const protocol::ProviderDialect& dialect_;
};

}  // namespace verbatim::relay
