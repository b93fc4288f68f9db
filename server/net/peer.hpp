// One end of a WebSocket, as a session's driver sees it: the client or the provider, over TLS or
// not. The protocol stays behind it, in ws_peer.cpp.
//
// One thread. One read and one drain, ping or close at a time; they may overlap, and events may be
// sent meanwhile.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "server/net/async.hpp"
#include "session/protocol/message_memory.hpp"

namespace verbatim::server {

/// A message beyond this is large: rare, and looked after one by one.
inline constexpr std::size_t small_message_bytes_max = 64 * 1024;

struct Received {
  enum class Kind {
    message,   ///< `bytes` holds one text message
    closed,    ///< a close frame came; it has been answered, and the peer may take its time to go
    failed,    ///< the connection is gone without one
    too_slow,  ///< a large message did not come in time; the rest of it is skipped
    too_big,   ///< a message over the limit, which is skipped; nothing was sent
    binary,    ///< not a text message
    bad_frame  ///< broke the WebSocket protocol or its UTF-8; `close_code` says so to the peer (a
               ///< provider has been told). Nothing may be read any more
  };
  Kind kind = Kind::failed;
  std::string bytes;
  std::uint16_t close_code = 0;
  std::string reason;  ///< the close frame's reason, or what the network said
  std::shared_ptr<session::MessageMemory> memory = nullptr;  ///< of a large message
};

/// How a message is sent: a JSON event is text.
enum class Frame { text, binary };

struct Outgoing {
  const std::string* bytes;
  Frame frame = Frame::text;
};

struct Sent {
  bool waits = false;  ///< the connection takes no more for now; the rest has been copied: drain()
  error_code ec;
};

class Peer {
 public:
  virtual ~Peer() = default;

  virtual Awaitable<Received> read() = 0;
  /// Sends events together, each as one frame, as far as the connection takes them at once. Until
  /// drain() is over, more may be sent, and waits with the rest.
  virtual Sent send(std::span<const Outgoing> events) = 0;
  /// Until all that was sent has left.
  virtual Awaitable<error_code> drain() = 0;
  virtual Awaitable<error_code> ping() = 0;
  /// Sends a close frame and waits for the answer. The caller sets the limit, by abort().
  virtual Awaitable<void> close(std::uint16_t code, std::string reason) = 0;
  /// After close(), or once read() has told of an end that is no failure: lets what was said last
  /// arrive and waits for the peer to end its half. Nothing else may run. The limit is the
  /// caller's.
  virtual Awaitable<void> shut_down() = 0;
  /// Cuts the connection now; whatever runs on it ends with an error.
  virtual void abort() = 0;
  /// When the peer was last heard of: any part of a frame, pongs too. Any thread.
  virtual Clock::time_point last_heard() const = 0;
};

}  // namespace verbatim::server
