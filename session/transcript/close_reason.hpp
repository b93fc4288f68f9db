// Reasons for the end of a session, and what depends on them. The list is closed;
// docs/resume.md explains each. Plain values; any thread.
//
// Another reason is an enumerator and a row of `close_reasons`. It does not compile with only one
// of the two.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace verbatim::transcript {

/// The numbers are stored; never renumber. A new one goes last, before `end_`.
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
  by_operator = 16,
  end_  ///< no reason: one beyond the last
};
inline constexpr std::size_t close_reason_count = static_cast<std::size_t>(CloseReason::end_) - 1;

/// All that depends on the reason alone.
struct CloseReasonRow {
  CloseReason reason{};
  std::string_view name;         ///< in the API, the log and the label of the metric
  std::uint16_t close_code = 0;  ///< of WebSocket, that the client gets
  /// The client gets an `error` event before the close. The other reasons need none: the client
  /// decided itself, it does not read, or it is invited to come back.
  bool error_event = false;
  /// The detail comes from the client's close frame: it stays out of the log.
  bool detail_from_client = false;
};

/// By number: the reason with number n is row n - 1.
inline constexpr std::array<CloseReasonRow, close_reason_count> close_reasons = {{
    {.reason = CloseReason::client_closed,
     .name = "client_closed",
     .close_code = 1000,
     .detail_from_client = true},
    // No client is attached to read it; a half-open client may come back.
    {.reason = CloseReason::client_lost,
     .name = "client_lost",
     .close_code = 1001,
     .detail_from_client = true},
    {.reason = CloseReason::client_ended, .name = "client_ended", .close_code = 1000},
    // The provider ended the conversation normally, so the relay does too.
    {.reason = CloseReason::upstream_closed, .name = "upstream_closed", .close_code = 1000},
    {.reason = CloseReason::upstream_lost,
     .name = "upstream_lost",
     .close_code = 1011,
     .error_event = true},
    {.reason = CloseReason::upstream_error,
     .name = "upstream_error",
     .close_code = 1011,
     .error_event = true},
    {.reason = CloseReason::session_expired, .name = "session_expired", .close_code = 4001},
    {.reason = CloseReason::idle_timeout,
     .name = "idle_timeout",
     .close_code = 4001,
     .error_event = true},
    {.reason = CloseReason::max_duration,
     .name = "max_duration",
     .close_code = 4001,
     .error_event = true},
    {.reason = CloseReason::slow_client, .name = "slow_client", .close_code = 1013},
    {.reason = CloseReason::policy, .name = "policy", .close_code = 1008, .error_event = true},
    {.reason = CloseReason::server_shutdown, .name = "server_shutdown", .close_code = 1012},
    // Only ever stored: the client's socket was lost in the crash.
    {.reason = CloseReason::crash_recovered, .name = "crash_recovered", .close_code = 1011},
    {.reason = CloseReason::storage_failure,
     .name = "storage_failure",
     .close_code = 1011,
     .error_event = true},
    {.reason = CloseReason::replaced, .name = "replaced", .close_code = 4000},
    // A normal end that the application's back end decided: an extension client learns it by
    // verbatim.ended.
    {.reason = CloseReason::by_operator, .name = "operator", .close_code = 1000},
}};

constexpr std::size_t row_number(CloseReason reason) {
  return static_cast<std::size_t>(reason) - 1;
}

static_assert(
    [] {
      for (std::size_t i = 0; i < close_reasons.size(); ++i)
        if (row_number(close_reasons[i].reason) != i) return false;
      return true;
    }(),
    "each enumerator of CloseReason has its row, in the order of the numbers");

/// The row of a reason; null for a number that a newer store may hold.
constexpr const CloseReasonRow* find_row(CloseReason reason) {
  return row_number(reason) < close_reasons.size() ? &close_reasons[row_number(reason)] : nullptr;
}

/// "unknown" for a number that a newer store may hold.
std::string_view to_string(CloseReason);
std::optional<CloseReason> close_reason_from_string(std::string_view);

/// WebSocket close code that the client gets for this reason.
std::uint16_t close_code(CloseReason);
/// Whether the client gets an `error` event before its connection is closed.
bool deserves_error_event(CloseReason);
/// Whether the detail beside the reason may hold a client's own words.
bool detail_from_client(CloseReason);

}  // namespace verbatim::transcript
