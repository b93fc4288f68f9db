// The body of an answer that is produced while it is sent. The handler makes the source, and the
// connection asks it for one piece after the other. At most one piece is ahead of the peer.
//
// On the connection's thread.
#pragma once

#include <cstddef>
#include <string>

#include "server/net/async.hpp"

namespace verbatim::net {

class BodySource {
 public:
  /// Size of a piece in bytes; a longer event is split.
  static constexpr std::size_t piece_bytes = 64 * 1024;

  virtual ~BodySource() = default;

  /// The next piece, as soon as there is one; empty at the end of the body. It is called only after
  /// the peer has taken the last piece, and not after an empty one.
  virtual Awaitable<std::string> next() = 0;
  /// Whether the body ended before it was whole, so that the peer must not take it for whole.
  virtual bool broken() const { return false; }
  /// Time that the peer may take for one piece; the connection is closed afterwards.
  virtual Clock::duration patience() const = 0;

  /// The peer has gone, or was too slow (`slow`): next() ends soon, with any result.
  virtual void abandon(bool slow) = 0;
};

}  // namespace verbatim::net
