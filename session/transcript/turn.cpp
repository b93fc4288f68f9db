#include "session/transcript/turn.hpp"

#include "base/enum_names.hpp"

namespace verbatim::transcript {
namespace {

constexpr Name<Role> roles[] = {
    {Role::unknown, "unknown"},
    {Role::user, "user"},
    {Role::assistant, "assistant"},
    {Role::system, "system"},
};

constexpr Name<TurnStatus> turn_statuses[] = {
    {TurnStatus::in_progress, "in_progress"}, {TurnStatus::completed, "completed"},
    {TurnStatus::interrupted, "interrupted"}, {TurnStatus::cancelled, "cancelled"},
    {TurnStatus::truncated, "truncated"},     {TurnStatus::failed, "failed"},
};

constexpr Name<GapKind> gap_kinds[] = {
    {GapKind::uncommitted_speech, "uncommitted_speech"},
    {GapKind::failed_transcription, "failed_transcription"},
    {GapKind::unacknowledged_item, "unacknowledged_item"},
    {GapKind::missing_position, "missing_position"},
    {GapKind::unplaced_text, "unplaced_text"},
    {GapKind::tail_pending, "tail_pending"},
    {GapKind::failed_transcription, "missing_transcription"},  // its name until version 0.1
};

}  // namespace

std::string_view to_string(Role role) { return name_of(role, roles); }
std::string_view to_string(TurnStatus status) { return name_of(status, turn_statuses); }
std::string_view to_string(GapKind kind) { return name_of(kind, gap_kinds); }

std::optional<Role> role_from_string(std::string_view name) { return value_of(name, roles); }
std::optional<TurnStatus> turn_status_from_string(std::string_view name) {
  return value_of(name, turn_statuses);
}
std::optional<GapKind> gap_kind_from_string(std::string_view name) {
  return value_of(name, gap_kinds);
}

}  // namespace verbatim::transcript
