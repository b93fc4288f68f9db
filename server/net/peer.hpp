// The interface of one WebSocket connection as the session driver sees it: to the client or to the
// provider, with TLS or without. The protocol is implemented in ws_peer.cpp.
//
// One thread. One read, and one of drain, ping and close at a time; the two may overlap, and send()
// may be called meanwhile. Network errors are error_codes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "server/net/async.hpp"
#include "session/protocol/message_memory.hpp"

namespace verbatim::net {

/// A larger message is large: rare, and its memory is requested (server/net/large_messages.hpp).
inline constexpr std::size_t small_message_bytes_max = 64 * 1024;

struct Received {
  enum class Kind {
    message,   ///< `bytes` holds one text message
    closed,    ///< a close frame came and was answered; the peer may take time to disconnect
    failed,    ///< the connection ended without a close frame
    too_slow,  ///< a large message did not arrive in time; its rest is skipped
    too_big,   ///< a message over the limit, which is skipped; the peer was not informed
    binary,    ///< a binary message
    bad_frame  ///< a violation of the WebSocket protocol or of UTF-8. `close_code` is the code to
               ///< close with (a provider has already received it). Nothing more may be read
  };
  Kind kind = Kind::failed;
  std::string bytes;
  std::uint16_t close_code = 0;
  std::string reason;  ///< the close frame's reason, or the network error
  /// memory of a large message; null for a small one
  std::shared_ptr<protocol::MessageMemory> memory = nullptr;
};

/// How a message is framed. A JSON event is text.
enum class FrameType { text, binary };

struct Outgoing {
  const std::string* bytes;
  FrameType frame = FrameType::text;
};

struct Sent {
  /// the connection accepts no more for now; the rest was copied: call drain()
  bool waits = false;
  error_code ec;
};

class Peer {
 public:
  virtual ~Peer() = default;

  virtual Awaitable<Received> read() = 0;
  /// Sends events as one frame each, together, as far as the connection accepts them at once. More
  /// may be sent before drain() completes; it waits behind the rest.
  virtual Sent send(std::span<const Outgoing> events) = 0;
  /// Completes when everything that was sent has left.
  virtual Awaitable<error_code> drain() = 0;
  virtual Awaitable<error_code> ping() = 0;
  /// Sends a close frame and waits for the peer's. The caller sets the time limit, by abort().
  virtual Awaitable<void> close(std::uint16_t code, std::string reason) = 0;
  /// Ends our half of the connection and waits until the peer ends its own, so that the last bytes
  /// arrive. Call it after close(), or after read() returned an end that is not a failure. No other
  /// operation may run. The caller sets the time limit.
  virtual Awaitable<void> shut_down() = 0;
  /// Closes the connection at once; operations in progress end with an error.
  virtual void abort() = 0;
  /// When the last part of a frame came from the peer; pongs count. Any thread.
  virtual Clock::time_point last_heard() const = 0;
};

}  // namespace verbatim::net
