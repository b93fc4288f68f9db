#include "session/item_requests.hpp"

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

namespace verbatim::session {

namespace {

std::vector<std::string> one_message(std::string message) {
  std::vector<std::string> messages;
  messages.push_back(std::move(message));
  return messages;
}

}  // namespace

// ---- Items of the present connection ----

bool ItemRequests::provider_has(const std::string& item_id) const {
  if (!upstream_.current() || !transcript_.is_in_conversation(item_id)) return false;
  return upstream_.current()->has(item_id) || !transcript_.is_settled(item_id);
}

/// The item is in the conversation, but the present connection could not be given it.
bool ItemRequests::provider_lacks(const std::string& item_id) const {
  return upstream_.was_replaced() && upstream_.current() &&
         transcript_.is_in_conversation(item_id) && !provider_has(item_id);
}

/// The last item before this one that the provider has; empty if it has none.
std::string ItemRequests::nearest_before(const std::string& item_id) const {
  std::string nearest;
  for (const std::string& one : transcript_.chain()) {
    if (one == item_id) break;
    if (provider_has(one)) nearest = one;
  }
  return nearest;
}

// ---- Requests that the relay answers ----

std::optional<ItemRequests::Answer> ItemRequests::answer(protocol::ClientRequest request,
                                                         const protocol::Message& message) const {
  switch (request) {
    case protocol::ClientRequest::truncate_item:
      return truncated(message);
    case protocol::ClientRequest::create_item:
      return there_already(message);
    case protocol::ClientRequest::retrieve_item:
      return retrieved(message);
    case protocol::ClientRequest::delete_item:
      return deleted(message);
    default:
      return std::nullopt;
  }
}

/// The provider has an answer of an earlier connection only as text, so it cannot truncate its
/// audio.
std::optional<ItemRequests::Answer> ItemRequests::truncated(
    const protocol::Message& message) const {
  protocol::ItemTarget target = provider_.item_target(message.bytes);
  const auto turn = transcript_.turn(target.item_id);
  if (!transcript_.is_settled(target.item_id) || !turn || turn->role != transcript::Role::assistant)
    return std::nullopt;
  target.audio_end_ms = std::max<std::int64_t>(0, target.audio_end_ms);
  const std::int64_t sent_ms = transcript_.audio_sent_ms(target.item_id, target.content_index);
  if (sent_ms > 0) target.audio_end_ms = std::min(target.audio_end_ms, sent_ms);
  transcript::Event event{
      {}, transcript::ItemTruncated{target.item_id, target.content_index, target.audio_end_ms, -1}};
  return Answer{std::move(event), [this, target](const NewEventId& new_id) {
                  return one_message(provider_.item_truncated(target, new_id()));
                }};
}

/// Some SDKs create their whole history again after a reconnect. The provider would refuse those
/// items, so an item that is there with the same content is shown to the client instead.
std::optional<ItemRequests::Answer> ItemRequests::there_already(
    const protocol::Message& message) const {
  const auto event = provider_.read_client(message.bytes);
  const auto* const asked = event ? std::get_if<transcript::ItemRequested>(&event->body) : nullptr;
  if (asked == nullptr || asked->item.id.empty()) return std::nullopt;
  const transcript::Item& wanted = asked->item;
  if (const protocol::MessagePtr earlier = unanswered_.item_message(wanted.id);
      earlier && earlier.get() != &message && upstream_.current()) {
    if (provider_.item_in(earlier->bytes) != provider_.item_in(message.bytes)) return std::nullopt;
    // The provider's answer to the earlier request serves this one too.
    return Answer{std::nullopt, [](const NewEventId&) { return std::vector<std::string>(); }};
  }
  if (!provider_has(wanted.id)) return std::nullopt;
  const auto ours = transcript_.item(wanted.id);
  const auto turn = transcript_.turn(wanted.id);
  if (!provider_.is_same_item(wanted, *ours, turn)) return std::nullopt;
  const std::string previous = asked->place == transcript::Position::end
                                   ? transcript_.item_before(wanted.id)
                                   : asked->previous;
  return Answer{std::nullopt, [this, ours, turn, previous](const NewEventId& new_id) {
                  const protocol::ItemView view{previous, shown_.speaks, shown_.transcription};
                  return provider_.show_item(*ours, turn, view, new_id);
                }};
}

std::optional<ItemRequests::Answer> ItemRequests::retrieved(
    const protocol::Message& message) const {
  const std::string item_id = provider_.item_target(message.bytes).item_id;
  if (!provider_lacks(item_id)) return std::nullopt;
  const auto item = transcript_.item(item_id);
  const auto turn = transcript_.turn(item_id);
  // Not every item can be shown in the provider's protocol.
  if (provider_.item_retrieved(*item, turn, shown_.speaks, {}).empty()) return std::nullopt;
  return Answer{
      std::nullopt, [this, item, turn](const NewEventId& new_id) {
        return one_message(provider_.item_retrieved(*item, turn, shown_.speaks, new_id()));
      }};
}

std::optional<ItemRequests::Answer> ItemRequests::deleted(const protocol::Message& message) const {
  const std::string item_id = provider_.item_target(message.bytes).item_id;
  if (!provider_lacks(item_id)) return std::nullopt;
  return Answer{transcript::Event{{}, transcript::ItemDeleted{item_id}},
                [this, item_id](const NewEventId& new_id) {
                  return one_message(provider_.item_deleted(item_id, new_id()));
                }};
}

// ---- Requests that are sent with another place ----

std::optional<ItemRequests::Moved> ItemRequests::moved(const protocol::Message& message) const {
  if (provider_.peek_client(message.bytes) != protocol::ClientRequest::create_item)
    return std::nullopt;
  const auto event = provider_.read_client(message.bytes);
  const auto* const asked = event ? std::get_if<transcript::ItemRequested>(&event->body) : nullptr;
  if (asked == nullptr || asked->previous.empty() || !provider_lacks(asked->previous))
    return std::nullopt;
  protocol::Message moved{provider_.placed_behind(message.bytes, nearest_before(asked->previous)),
                          message.received_us, message.kind};
  return Moved{std::make_shared<const protocol::Message>(std::move(moved)), asked->previous};
}

}  // namespace verbatim::session
