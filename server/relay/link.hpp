// One connection of a conversation, to the client or to the provider, and the state that its loops
// share. Part of a SessionDriver, on its worker's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/net/async.hpp"
#include "server/net/peer.hpp"
#include "server/relay/upstream.hpp"
#include "session/protocol/message_memory.hpp"
#include "session/upstream_connection.hpp"

namespace verbatim::relay {

struct Link {
  explicit Link(const net::Executor& executor) : readable(executor), writable(executor) {}
  bool is_client() const { return upstream == 0; }
  bool is_open() const { return peer && !gone; }
  void begin_reading() {
    reading_since = net::Clock::now();
    reading = true;
  }

  session::UpstreamId upstream = 0;  ///< of an upstream connection; 0: the client's
  std::string credential_id;         ///< Principal::credential_id()
  std::unique_ptr<net::Peer> peer;
  Dial dial;
  net::AsyncEvent readable;  ///< notified when reading may continue
  net::AsyncEvent writable;  ///< notified when there may be something to write
  int loops = 0;             ///< its loops that still run
  bool ping_due = false;
  bool pinged = false;
  net::Clock::time_point pinged_at{};
  bool reading = false;
  net::Clock::time_point reading_since{};
  bool unsent = false;    ///< the connection accepts no more for now: its writer drains it
  bool closing = false;   ///< only the close is still sent
  error_code failed;      ///< error of a send; the writer handles it
  bool gone = false;      ///< the connection has ended, and the session knows
  bool replaced = false;  ///< nothing from it concerns the session any more
  bool hanging_up = false;
  net::Clock::time_point abort_at =
      net::Clock::time_point::max();  ///< of a replaced or refused link

  /// The close code and reason of a connection whose conversation goes on.
  struct Farewell {
    std::uint16_t code;
    std::string reason;
    std::uint64_t last_message;  ///< the last message to send on it
  };
  std::optional<Farewell> farewell;

  /// Memory of large messages that are being sent; released when it is destroyed.
  struct Leaving {
    Leaving() = default;
    ~Leaving() { left(); }
    Leaving(const Leaving&) = delete;
    Leaving& operator=(const Leaving&) = delete;
    void left() {
      for (const auto& memory : messages) memory->sent();
      messages.clear();
    }
    std::vector<std::shared_ptr<protocol::MessageMemory>> messages;
  };
  Leaving leaving;
};

}  // namespace verbatim::relay
