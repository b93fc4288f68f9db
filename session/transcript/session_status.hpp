// Status of a session or of one attempt. Meanings: server/api/openapi.json. Plain values; any
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace verbatim::transcript {

/// Numbers are stored; never renumber.
enum class SessionStatus : std::uint8_t {
  created = 0,  ///< no conversation yet
  live = 1,
  detached = 2,  ///< the client is gone and may come back
  final = 3,
  recovering = 4,  ///< the relay was killed; the client may come back to the next process
};

std::string_view to_string(SessionStatus);
std::optional<SessionStatus> session_status_from_string(std::string_view);

}  // namespace verbatim::transcript
