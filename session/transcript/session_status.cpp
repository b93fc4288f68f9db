#include "session/transcript/session_status.hpp"

#include "base/enum_names.hpp"

namespace verbatim::transcript {
namespace {

constexpr Name<SessionStatus> session_statuses[] = {
    {SessionStatus::created, "created"},       {SessionStatus::live, "live"},
    {SessionStatus::detached, "detached"},     {SessionStatus::final, "final"},
    {SessionStatus::recovering, "recovering"},
};

}  // namespace

std::string_view to_string(SessionStatus status) { return name_of(status, session_statuses); }

std::optional<SessionStatus> session_status_from_string(std::string_view name) {
  return value_of(name, session_statuses);
}

}  // namespace verbatim::transcript
