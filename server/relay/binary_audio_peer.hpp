// Adapts a client that sends and receives audio as binary frames (`audio=binary`) to the event
// interface. session/protocol/audio_frame.hpp defines the frames.
//
// On the thread of the connection, which it owns.
#pragma once

#include <memory>

#include "server/net/peer.hpp"
#include "session/protocol/provider_dialect.hpp"

namespace verbatim::server {

class BinaryAudioPeer final : public Peer {
 public:
  /// `dialect`: the protocol of the events.
  BinaryAudioPeer(std::unique_ptr<Peer> connection, const session::ProviderDialect& dialect)
      : connection_(std::move(connection)), dialect_(dialect) {}

  Awaitable<Received> read() override;
  Sent send(std::span<const Outgoing> events) override;
  Awaitable<error_code> drain() override { return connection_->drain(); }
  Awaitable<error_code> ping() override { return connection_->ping(); }
  Awaitable<void> close(std::uint16_t code, std::string reason) override {
    return connection_->close(code, std::move(reason));
  }
  Awaitable<void> shut_down() override { return connection_->shut_down(); }
  void abort() override { connection_->abort(); }
  Clock::time_point last_heard() const override { return connection_->last_heard(); }

 private:
  std::unique_ptr<Peer> connection_;
  const session::ProviderDialect& dialect_;
};

}  // namespace verbatim::server
