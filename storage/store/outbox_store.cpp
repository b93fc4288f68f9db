#include "storage/store/outbox_store.hpp"

#include "base/enum_names.hpp"

namespace verbatim::store {
namespace {

constexpr Name<MessageKind> kinds[] = {
    {MessageKind::session_started, "session.started"},
    {MessageKind::session_ended, "session.ended"},
    {MessageKind::transcript_updated, "transcript.updated"},
    {MessageKind::turn_completed, "turn.completed"},
};

constexpr Name<DeliveryState> states[] = {
    {DeliveryState::waiting, "waiting"},
    {DeliveryState::delivered, "delivered"},
    {DeliveryState::dead, "dead"},
};

}  // namespace

std::string_view to_string(MessageKind kind) { return name_of(kind, kinds); }
std::string_view to_string(DeliveryState state) { return name_of(state, states); }

}  // namespace verbatim::store
