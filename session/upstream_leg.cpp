#include "session/upstream_leg.hpp"

#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "session/item_json.hpp"
#include "session/own_events.hpp"

namespace verbatim::session {

namespace {

const std::string configure_id(configure_event_id);
const std::string item_prefix(rebuilt_item_prefix);

Message own_message(std::string bytes) { return {std::move(bytes), 0, MessageKind::other}; }

// Behind all others: no place is named, since one that is refused must not take the next with it.
std::string create_event(const std::string& item_id, const std::string& item) {
  const nlohmann::json event_id(item_prefix + item_id);
  return R"({"type":"conversation.item.create","event_id":)" +
         event_id.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + R"(,"item":)" +
         item + "}";
}

}  // namespace

bool UpstreamLeg::prepare(const Event& event, const Transcript& transcript,
                          const SessionSettings& settings, Sequence needs) {
  if (std::holds_alternative<UpstreamOpened>(event.body)) {
    if (greeting_) return true;
    greeting_ = event;
    std::string update = settings.update_message(configure_id);
    configured_ = update.empty();
    if (!configured_) outbox_.push(own_message(std::move(update)), 0);
    catch_up(transcript, needs);
  } else if (std::holds_alternative<SessionConfigured>(event.body)) {
    if (greeting_) configuration_ = event;
    configured_ = greeting_.has_value();
  } else if (const auto* placed = std::get_if<ItemPlaced>(&event.body)) {
    awaited_.erase(placed->item.id);
  } else if (const auto* error = std::get_if<ProviderError>(&event.body)) {
    return hear_error(*error);
  }
  return true;
}

// An item that the provider does not take is left out: the conversation goes on with the others. A
// refusal of the settings is another matter: who answers would be somebody else.
bool UpstreamLeg::hear_error(const ProviderError& error) {
  const std::string said = error.code.empty() ? error.type : error.code;
  if (error.client_event_id.starts_with(item_prefix)) {
    awaited_.erase(error.client_event_id.substr(item_prefix.size()));
    return true;
  }
  complaint_ = said;
  return greeting_.has_value() && error.client_event_id != configure_id;
}

bool UpstreamLeg::is_ready() const {
  if (!rebuilds_) return open_;
  return greeting_.has_value() && configured_ && awaited_.empty();
}

bool UpstreamLeg::catch_up(const Transcript& transcript, Sequence needs) {
  if (!takes_items_) return false;
  bool any = false;
  for (const std::string& item_id : transcript.chain()) {
    const auto item = transcript.item(item_id);
    if (given_.contains(item_id) || !item) continue;
    const std::string content = rebuilt_item(*item, transcript.turn(item_id));
    if (content.empty()) continue;
    outbox_.push(own_message(create_event(item_id, content)), needs);
    given_.insert(item_id);
    awaited_.insert(item_id);
    any = true;
  }
  return any;
}

bool UpstreamLeg::is_echo(const Event& event) const {
  if (const auto* placed = std::get_if<ItemPlaced>(&event.body))
    return given_.contains(placed->item.id);
  if (const auto* snapshot = std::get_if<ItemSnapshot>(&event.body))
    return !snapshot->retrieved && given_.contains(snapshot->item.id);
  return false;
}

}  // namespace verbatim::session
