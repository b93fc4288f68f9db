// Client requests about items that the present upstream connection lacks, or already has: after a
// change of connection, or after the client's return. Part of RealtimeSession, on its thread.
#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "base/json/dump.hpp"
#include "base/json/view.hpp"
#include "session/protocol/event_reader.hpp"
#include "session/protocol/item_writer.hpp"
#include "session/protocol/message_kind.hpp"
#include "session/realtime_session.hpp"
#include "session/relay_events.hpp"
#include "session/snapshot.hpp"
#include "session/transcript/heard.hpp"
#include "session/transcript/item_content.hpp"

namespace verbatim::session {

namespace {

using json::Kind;
using json::View;

constexpr std::string_view root = "root";

/// `object` with the value of `member` replaced. Precondition: `member` is a part of `object`.
std::string with_value(std::string_view object, View member, const std::string& value) {
  const auto begin = static_cast<std::size_t>(member.raw().data() - object.data());
  VERBATIM_EXPECTS(begin <= object.size() && member.raw().size() <= object.size() - begin);
  std::string out(object.substr(0, begin));
  out += value;
  return out += object.substr(begin + member.raw().size());
}

/// The parts of a message that are not text.
std::vector<std::string_view> beside_text(View content) {
  std::vector<std::string_view> parts;
  for (json::Elements one(content); one.next();)
    if (!is_text_part(one.value()["type"].between_quotes())) parts.push_back(one.value().raw());
  return parts;
}

bool says_the_same(const Item& wanted, const Item& ours, const Turn& turn) {
  Text words;
  for (const Part& part : wanted.parts) append_part(words, part.text);
  if (words != turn.text && !(turn.heard && words == turn.heard->text)) return false;
  return beside_text(View::of(wanted.detail)["content"]) ==
         beside_text(View::of(ours.detail)["content"]);
}

/// For a tool call, its output or an approval: whether both ask or answer the same.
bool asks_the_same(const Item& wanted, const Item& ours) {
  const View theirs = View::of(wanted.detail);
  const View here = View::of(ours.detail);
  for (const char* member : {"call_id", "name", "arguments", "output", "approval_request_id",
                             "approve", "server_label"}) {
    const View value = theirs[member];
    if (value.exists() && value.string() != here[member].string()) return false;
    if (value.is(Kind::boolean) && value.boolean() != here[member].boolean()) return false;
  }
  return wanted.kind == ours.kind;
}

}  // namespace

// ---- What the present connection has ----

bool RealtimeSession::provider_has(const std::string& item_id) const {
  if (!upstream_.current() || !transcript_.is_in_conversation(item_id)) return false;
  return upstream_.current()->has(item_id) || !transcript_.is_settled(item_id);
}

/// The item is in the conversation, but the present connection could not be given it.
bool RealtimeSession::provider_lacks(const std::string& item_id) const {
  return upstream_.was_replaced() && upstream_.current() &&
         transcript_.is_in_conversation(item_id) && !provider_has(item_id);
}

/// The last item before this one that the provider has; `root` if it has none.
std::string RealtimeSession::nearest_before(const std::string& item_id) const {
  std::string nearest(root);
  for (const std::string& one : transcript_.chain()) {
    if (one == item_id) break;
    if (provider_has(one)) nearest = one;
  }
  return nearest;
}

// ---- Requests that the relay answers ----

/// True if the relay has answered: the provider would refuse a request that the conversation
/// allows.
bool RealtimeSession::answered_here(std::string_view type, const Message& message, Moment now) {
  if (!upstream_.was_replaced() && counts_.resumed == 0) return false;
  if (type == "conversation.item.truncate") return truncated_here(message, now);
  if (type == "conversation.item.create") return there_already(message);
  if (type == "conversation.item.retrieve") return retrieved_here(message);
  if (type == "conversation.item.delete") return deleted_here(message, now);
  return false;
}

/// The provider has an answer of an earlier connection only as text, so it cannot truncate its
/// audio.
bool RealtimeSession::truncated_here(const Message& message, Moment now) {
  const auto view = View::of(message.bytes);
  const std::string item_id = view["item_id"].string_or_empty();
  const auto turn = transcript_.turn(item_id);
  if (!transcript_.is_settled(item_id) || !turn || turn->role != Role::assistant) return false;
  const auto part = static_cast<int>(view["content_index"].integer().value_or(0));
  std::int64_t heard_ms = std::max<std::int64_t>(0, view["audio_end_ms"].integer().value_or(0));
  const std::int64_t sent_ms = transcript_.audio_sent_ms(item_id, part);
  if (sent_ms > 0) heard_ms = std::min(heard_ms, sent_ms);
  const auto needs = record({{}, ItemTruncated{item_id, part, heard_ms, -1}}, now);
  if (!needs) return true;
  client_.answer(own_message(truncated_event(item_id, part, heard_ms, own_event_id())), *needs);
  send_turn_events();
  return true;
}

/// Some SDKs create their whole history again after a reconnect. The provider would refuse those
/// items, so an item that is there with the same content is shown to the client instead.
bool RealtimeSession::there_already(const Message& message) {
  const auto event = read_client_event(message.bytes);
  const auto* const asked = event ? std::get_if<ItemRequested>(&event->body) : nullptr;
  if (asked == nullptr || asked->item.id.empty()) return false;
  const Item& wanted = asked->item;
  const auto view = View::of(message.bytes);
  if (const MessagePtr earlier = unanswered_.item_message(wanted.id);
      earlier && earlier.get() != &message && upstream_.current())
    return View::of(earlier->bytes)["item"].raw() == view["item"].raw();  // one answer serves both
  if (!provider_has(wanted.id)) return false;
  const auto ours = transcript_.item(wanted.id);
  const auto turn = transcript_.turn(wanted.id);
  if (turn ? !says_the_same(wanted, *ours, *turn) : !asks_the_same(wanted, *ours)) return false;
  std::string previous = view["previous_item_id"].string_or_empty();
  if (previous == root) {
    previous.clear();
  } else if (previous.empty()) {
    previous = transcript_.item_before(wanted.id);
  }
  for (std::string& shows : shown(
           transcript_, wanted.id, previous, settings_.speaks(), [this] { return own_event_id(); },
           !settings_.hides_transcription()))
    client_.answer(own_message(std::move(shows)), journal_.last());
  return true;
}

bool RealtimeSession::retrieved_here(const Message& message) {
  const std::string item_id = View::of(message.bytes)["item_id"].string_or_empty();
  if (!provider_lacks(item_id)) return false;
  const auto item = transcript_.item(item_id);
  const std::string shows = shown_item(*item, transcript_.turn(item_id), settings_.speaks());
  if (shows.empty()) return false;
  client_.answer(own_message(retrieved_event(shows, own_event_id())), journal_.last());
  return true;
}

bool RealtimeSession::deleted_here(const Message& message, Moment now) {
  const std::string item_id = View::of(message.bytes)["item_id"].string_or_empty();
  if (!provider_lacks(item_id)) return false;
  const auto needs = record({{}, ItemDeleted{item_id}}, now);
  if (!needs) return true;
  client_.answer(own_message(deleted_event(item_id, own_event_id())), *needs);
  send_turn_events();
  return true;
}

// ---- Requests passed on with another place ----

/// A client may place an item behind one that the provider could not be given. The provider gets it
/// behind the nearest earlier item that it has; the client sees it where it asked.
void RealtimeSession::pass_on(MessagePtr message, Sequence needs, Moment now) {
  const std::string_view type = peek_type(message->bytes);
  if (answered_here(type, *message, now)) {
    unanswered_.withdrawn(message);
    return;
  }
  upstream_.push(placed_where_known(std::move(message)), needs);
}

MessagePtr RealtimeSession::placed_where_known(MessagePtr message) {
  if (!upstream_.was_replaced() || peek_type(message->bytes) != "conversation.item.create")
    return message;
  const auto view = View::of(message->bytes);
  const std::string previous = view["previous_item_id"].string_or_empty();
  if (previous.empty() || !provider_lacks(previous)) return message;
  const std::string known = dump(nlohmann::json(nearest_before(previous)));
  Message moved{with_value(message->bytes, view["previous_item_id"], known), message->received_us,
                message->kind};
  auto passed = std::make_shared<const Message>(std::move(moved));
  unanswered_.replaced(message, passed, previous);
  return passed;
}

/// The counterpart: the provider has placed the item; restore the place that the client asked for.
void RealtimeSession::show_behind(const std::string& previous, Event& event, Message& message) {
  auto* const placed = std::get_if<ItemPlaced>(&event.body);
  if (placed == nullptr) return;
  placed->place = Position::after;
  placed->previous = previous;
  const View member = View::of(message.bytes)["previous_item_id"];
  if (member.exists())
    message.bytes = with_value(message.bytes, member, dump(nlohmann::json(previous)));
}

}  // namespace verbatim::session
