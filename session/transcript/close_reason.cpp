#include "session/transcript/close_reason.hpp"

#include "base/enum_names.hpp"

namespace verbatim::session {
namespace {

constexpr Name<CloseReason> reasons[] = {
    {CloseReason::client_closed, "client_closed"},
    {CloseReason::client_lost, "client_lost"},
    {CloseReason::client_ended, "client_ended"},
    {CloseReason::upstream_closed, "upstream_closed"},
    {CloseReason::upstream_lost, "upstream_lost"},
    {CloseReason::upstream_error, "upstream_error"},
    {CloseReason::session_expired, "session_expired"},
    {CloseReason::idle_timeout, "idle_timeout"},
    {CloseReason::max_duration, "max_duration"},
    {CloseReason::slow_client, "slow_client"},
    {CloseReason::policy, "policy"},
    {CloseReason::server_shutdown, "server_shutdown"},
    {CloseReason::crash_recovered, "crash_recovered"},
    {CloseReason::storage_failure, "storage_failure"},
    {CloseReason::replaced, "replaced"},
};

}  // namespace

std::string_view to_string(CloseReason reason) { return name_of(reason, reasons); }

std::optional<CloseReason> close_reason_from_string(std::string_view name) {
  return value_of(name, reasons);
}

std::uint16_t close_code(CloseReason reason) {
  switch (reason) {
    case CloseReason::client_closed:
    case CloseReason::client_ended:
      return 1000;
    case CloseReason::client_lost:
      // No client is attached to read it; a half-open client may come back.
      return 1001;
    case CloseReason::upstream_closed:
      // The provider ended the conversation normally, so the relay does too.
      return 1000;
    case CloseReason::upstream_lost:
    case CloseReason::upstream_error:
    case CloseReason::storage_failure:
    case CloseReason::crash_recovered:  // only stored: the client's socket was lost in the crash
      return 1011;
    case CloseReason::session_expired:
    case CloseReason::idle_timeout:
    case CloseReason::max_duration:
      return 4001;
    case CloseReason::slow_client:
      return 1013;
    case CloseReason::policy:
      return 1008;
    case CloseReason::server_shutdown:
      return 1012;
    case CloseReason::replaced:
      return 4000;
  }
  return 1011;
}

}  // namespace verbatim::session
