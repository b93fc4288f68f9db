// Reasons for the end of a session, and the WebSocket close codes for them. The list is closed (the
// interface, section 4); the close codes are in section 2. Plain values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace verbatim::session {

/// Numbers are stored; never renumber.
enum class CloseReason : std::uint8_t {
  client_closed = 1,
  client_lost = 2,
  client_ended = 3,
  upstream_closed = 4,
  upstream_lost = 5,
  upstream_error = 6,
  session_expired = 7,
  idle_timeout = 8,
  max_duration = 9,
  slow_client = 10,
  policy = 11,
  server_shutdown = 12,
  crash_recovered = 13,
  storage_failure = 14,
  replaced = 15,
};

std::string_view to_string(CloseReason);
std::optional<CloseReason> close_reason_from_string(std::string_view);

/// WebSocket close code that the client gets for this reason.
std::uint16_t close_code(CloseReason);

/// All reasons, for tables and metrics.
inline constexpr CloseReason all_close_reasons[] = {
    CloseReason::client_closed,   CloseReason::client_lost,     CloseReason::client_ended,
    CloseReason::upstream_closed, CloseReason::upstream_lost,   CloseReason::upstream_error,
    CloseReason::session_expired, CloseReason::idle_timeout,    CloseReason::max_duration,
    CloseReason::slow_client,     CloseReason::policy,          CloseReason::server_shutdown,
    CloseReason::crash_recovered, CloseReason::storage_failure, CloseReason::replaced,
};

}  // namespace verbatim::session
