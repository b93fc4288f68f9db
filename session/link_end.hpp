// How a connection of a session ended. Pure value.
#pragma once

#include <cstdint>
#include <string>

namespace verbatim::session {

/// As far as the socket knows.
struct LinkEnd {
  bool clean = false;  ///< a close frame was received
  std::uint16_t close_code = 0;
  std::string reason;  ///< the peer's close reason, or the network error
  /// The relay closed the connection because the peer broke a protocol rule.
  bool refused = false;
};

}  // namespace verbatim::session
