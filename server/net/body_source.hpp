// The body of an answer that is made while it is sent: whoever answers makes one, the connection
// asks it for piece after piece. What it makes ahead of the peer is one piece.
//
// On the connection's thread.
#pragma once

#include <cstddef>
#include <string>

#include "server/net/async.hpp"

namespace verbatim::server {

class BodySource {
 public:
  /// How much a source makes ahead of a peer; a longer event comes in several pieces.
  static constexpr std::size_t piece_bytes = 64 * 1024;

  virtual ~BodySource() = default;

  /// The next piece, as soon as there is one; empty: the body is whole. Not called again before the
  /// last piece has been taken by the peer, nor after an empty one.
  virtual Awaitable<std::string> next() = 0;
  /// How long the peer may take for one piece before it is cut off.
  virtual Clock::duration patience() const = 0;

  /// The peer has gone, or was cut off (`slow`): next() ends soon, with whatever it gives.
  virtual void abandon(bool slow) = 0;
};

}  // namespace verbatim::server
