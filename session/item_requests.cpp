// Client requests about items that the present upstream connection lacks, or already has: after a
// change of connection, or after the client's return. Part of RealtimeSession, on its thread.
#include <algorithm>
#include <utility>

#include "session/protocol/message_kind.hpp"
#include "session/realtime_session.hpp"

namespace verbatim::session {

// ---- Items of the present connection ----

bool RealtimeSession::provider_has(const std::string& item_id) const {
  if (!upstream_.current() || !transcript_.is_in_conversation(item_id)) return false;
  return upstream_.current()->has(item_id) || !transcript_.is_settled(item_id);
}

/// The item is in the conversation, but the present connection could not be given it.
bool RealtimeSession::provider_lacks(const std::string& item_id) const {
  return upstream_.was_replaced() && upstream_.current() &&
         transcript_.is_in_conversation(item_id) && !provider_has(item_id);
}

/// The last item before this one that the provider has; empty if it has none.
std::string RealtimeSession::nearest_before(const std::string& item_id) const {
  std::string nearest;
  for (const std::string& one : transcript_.chain()) {
    if (one == item_id) break;
    if (provider_has(one)) nearest = one;
  }
  return nearest;
}

// ---- Requests that the relay answers ----

/// True if the relay has answered: the provider would refuse a request that the conversation
/// allows.
bool RealtimeSession::answered_here(protocol::ClientRequest request,
                                    const protocol::Message& message, Moment now) {
  if (!upstream_.was_replaced() && counts_.resumed == 0) return false;
  switch (request) {
    case protocol::ClientRequest::truncate_item:
      return truncated_here(message, now);
    case protocol::ClientRequest::create_item:
      return there_already(message);
    case protocol::ClientRequest::retrieve_item:
      return retrieved_here(message);
    case protocol::ClientRequest::delete_item:
      return deleted_here(message, now);
    default:
      return false;
  }
}

/// The provider has an answer of an earlier connection only as text, so it cannot truncate its
/// audio.
bool RealtimeSession::truncated_here(const protocol::Message& message, Moment now) {
  protocol::ItemTarget target = provider().item_target(message.bytes);
  const auto turn = transcript_.turn(target.item_id);
  if (!transcript_.is_settled(target.item_id) || !turn || turn->role != transcript::Role::assistant)
    return false;
  target.audio_end_ms = std::max<std::int64_t>(0, target.audio_end_ms);
  const std::int64_t sent_ms = transcript_.audio_sent_ms(target.item_id, target.content_index);
  if (sent_ms > 0) target.audio_end_ms = std::min(target.audio_end_ms, sent_ms);
  const auto needs = record(
      {{},
       transcript::ItemTruncated{target.item_id, target.content_index, target.audio_end_ms, -1}},
      now);
  if (!needs) return true;
  client_.answer(protocol::own_message(provider().item_truncated(target, own_event_id())), *needs);
  send_turn_events();
  return true;
}

/// Some SDKs create their whole history again after a reconnect. The provider would refuse those
/// items, so an item that is there with the same content is shown to the client instead.
bool RealtimeSession::there_already(const protocol::Message& message) {
  const auto event = provider().read_client(message.bytes);
  const auto* const asked = event ? std::get_if<transcript::ItemRequested>(&event->body) : nullptr;
  if (asked == nullptr || asked->item.id.empty()) return false;
  const transcript::Item& wanted = asked->item;
  if (const protocol::MessagePtr earlier = unanswered_.item_message(wanted.id);
      earlier && earlier.get() != &message && upstream_.current())
    // one answer serves both
    return provider().item_in(earlier->bytes) == provider().item_in(message.bytes);
  if (!provider_has(wanted.id)) return false;
  const auto ours = transcript_.item(wanted.id);
  const auto turn = transcript_.turn(wanted.id);
  if (!provider().is_same_item(wanted, *ours, turn)) return false;
  const std::string previous = asked->place == transcript::Position::end
                                   ? transcript_.item_before(wanted.id)
                                   : asked->previous;
  const protocol::ItemView view{previous, facts_.speaks, !settings_.hides_transcription()};
  for (std::string& shows :
       provider().show_item(*ours, turn, view, [this] { return own_event_id(); }))
    client_.answer(protocol::own_message(std::move(shows)), journal_.last());
  return true;
}

bool RealtimeSession::retrieved_here(const protocol::Message& message) {
  const std::string item_id = provider().item_target(message.bytes).item_id;
  if (!provider_lacks(item_id)) return false;
  const auto item = transcript_.item(item_id);
  std::string shows =
      provider().item_retrieved(*item, transcript_.turn(item_id), facts_.speaks, own_event_id());
  if (shows.empty()) return false;
  client_.answer(protocol::own_message(std::move(shows)), journal_.last());
  return true;
}

bool RealtimeSession::deleted_here(const protocol::Message& message, Moment now) {
  const std::string item_id = provider().item_target(message.bytes).item_id;
  if (!provider_lacks(item_id)) return false;
  const auto needs = record({{}, transcript::ItemDeleted{item_id}}, now);
  if (!needs) return true;
  client_.answer(protocol::own_message(provider().item_deleted(item_id, own_event_id())), *needs);
  send_turn_events();
  return true;
}

// ---- Requests passed on with another place ----

/// A client may place an item behind one that the provider could not be given. The provider gets it
/// behind the nearest earlier item that it has; the client sees it where it asked.
void RealtimeSession::pass_on(protocol::MessagePtr message, transcript::Sequence needs,
                              Moment now) {
  if (answered_here(provider().peek_client(message->bytes), *message, now)) {
    unanswered_.withdrawn(message);
    return;
  }
  upstream_.push(placed_where_known(std::move(message)), needs);
}

protocol::MessagePtr RealtimeSession::placed_where_known(protocol::MessagePtr message) {
  if (!upstream_.was_replaced() ||
      provider().peek_client(message->bytes) != protocol::ClientRequest::create_item)
    return message;
  const auto event = provider().read_client(message->bytes);
  const auto* const asked = event ? std::get_if<transcript::ItemRequested>(&event->body) : nullptr;
  if (asked == nullptr || asked->previous.empty() || !provider_lacks(asked->previous))
    return message;
  const std::string previous = asked->previous;
  protocol::Message moved{provider().placed_behind(message->bytes, nearest_before(previous)),
                          message->received_us, message->kind};
  auto passed = std::make_shared<const protocol::Message>(std::move(moved));
  unanswered_.replaced(message, passed, previous);
  return passed;
}

/// The counterpart: the provider has placed the item; restore the place that the client asked for.
void RealtimeSession::show_behind(const std::string& previous, transcript::Event& event,
                                  protocol::Message& message) {
  auto* const placed = std::get_if<transcript::ItemPlaced>(&event.body);
  if (placed == nullptr) return;
  placed->place = transcript::Position::after;
  placed->previous = previous;
  message.bytes = provider().placed_behind(message.bytes, previous);
}

}  // namespace verbatim::session
