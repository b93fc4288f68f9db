#include "session/transcript/close_reason.hpp"

namespace verbatim::transcript {

std::string_view to_string(CloseReason reason) {
  const CloseReasonRow* const row = find_row(reason);
  return row ? row->name : "unknown";
}

std::optional<CloseReason> close_reason_from_string(std::string_view name) {
  for (const CloseReasonRow& row : close_reasons)
    if (row.name == name) return row.reason;
  return std::nullopt;
}

std::uint16_t close_code(CloseReason reason) {
  constexpr std::uint16_t internal_error = 1011;
  const CloseReasonRow* const row = find_row(reason);
  return row ? row->close_code : internal_error;
}

bool deserves_error_event(CloseReason reason) {
  const CloseReasonRow* const row = find_row(reason);
  return row && row->error_event;
}

bool detail_from_client(CloseReason reason) {
  const CloseReasonRow* const row = find_row(reason);
  return row && row->detail_from_client;
}

}  // namespace verbatim::transcript
