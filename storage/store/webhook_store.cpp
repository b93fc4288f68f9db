#include "storage/store/webhook_store.hpp"

#include "base/crypto.hpp"
#include "base/enum_names.hpp"
#include "storage/store/delivery_store.hpp"

namespace verbatim::store {
namespace {

constexpr Name<WebhookKind> kinds[] = {
    {WebhookKind::session_started, "session.started"},
    {WebhookKind::session_ended, "session.ended"},
    {WebhookKind::transcript_updated, "transcript.updated"},
    {WebhookKind::turn_completed, "turn.completed"},
};

constexpr Name<DeliveryState> states[] = {
    {DeliveryState::waiting, "waiting"},
    {DeliveryState::delivered, "delivered"},
    {DeliveryState::dead, "dead"},
};

}  // namespace

std::string_view to_string(WebhookKind kind) { return name_of(kind, kinds); }
std::string_view to_string(DeliveryState state) { return name_of(state, states); }
std::optional<DeliveryState> delivery_state_from_string(std::string_view name) {
  return value_of(name, states);
}

// The name itself may hold a slash or a blank, which a path cannot hold unescaped.
std::string delivery_id(const std::string& message, const std::string& target) {
  constexpr std::string_view prefix = "msg_";
  constexpr std::size_t digits = 8;
  const std::string_view own =
      std::string_view(message).substr(message.starts_with(prefix) ? prefix.size() : 0);
  return "dlv_" + std::string(own) + "_" + to_hex(sha256(target)).substr(0, digits);
}

}  // namespace verbatim::store
