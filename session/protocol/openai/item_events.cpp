#include "session/protocol/openai/item_events.hpp"

#include <utility>

#include "base/json/dump.hpp"
#include "base/json/writer.hpp"
#include "session/protocol/openai/item_writer.hpp"

namespace verbatim::protocol {

namespace {

std::string placed(const char* type, const std::string& item, const std::string& previous,
                   const EventIds& next_event_id) {
  json::ObjectWriter out;
  out.add("type", json::quoted(type));
  out.add("event_id", dump(Json(next_event_id())));
  out.add("previous_item_id", dump(or_null(previous)));
  out.add("item", item);
  return out.text();
}

bool is_open(const transcript::Item& item, const std::optional<transcript::Turn>& turn) {
  if (turn)
    return turn->role == transcript::Role::assistant &&
           turn->status == transcript::TurnStatus::in_progress;
  return item.status == transcript::ItemStatus::in_progress;
}

/// Removes the transcript from a spoken item, for a client that wants no transcription.
void hush(Json& item) {
  const auto content = item.find("content");
  if (content == item.end() || !content->is_array()) return;
  for (Json& part : *content)
    if (part.is_object() && part.contains("transcript")) part["transcript"] = nullptr;
}

/// Writes the transcription events for a user's speech: completed, the text so far, or
/// failed. `usage` is left out: it was billed when the text came.
void add_words(const transcript::Item& item, const transcript::Turn& turn,
               const EventIds& next_event_id, std::vector<std::string>& out) {
  const auto emit = [&](const char* what, const transcript::Part& part, Json members) {
    members["type"] = std::string("conversation.item.input_audio_transcription.") + what;
    members["event_id"] = next_event_id();
    members["item_id"] = item.id;
    members["content_index"] = part.content_index;
    out.push_back(dump(members));
  };
  for (const transcript::Part& part : item.parts) {
    if (!part.spoken_input) continue;
    const bool over = turn.status != transcript::TurnStatus::in_progress;
    const bool failed = turn.status == transcript::TurnStatus::failed ||
                        (turn.status == transcript::TurnStatus::interrupted && part.text.empty());
    if (failed) {
      const std::string code = turn.reason.empty() ? "connection_lost" : turn.reason;
      emit("failed", part,
           {{"error",
             {{"type", "transcription_error"},
              {"code", code},
              {"message", "Input transcription failed for item '" + item.id + "'."}}}});
    } else if (over) {
      emit("completed", part, {{"transcript", part.text.utf8()}});
    } else if (!part.text.empty()) {
      emit("delta", part, {{"delta", part.text.utf8()}});
    }
  }
}

}  // namespace

std::vector<std::string> item_events(const transcript::Item& item,
                                     const std::optional<transcript::Turn>& turn,
                                     const ItemView& view, const EventIds& next_event_id) {
  std::string text = shown_item(item, turn, view.spoken);
  if (text.empty()) return {};
  const bool of_user = turn && turn->role == transcript::Role::user;
  if (of_user && !view.with_words) {
    auto silent = Json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!silent.is_object()) return {};
    hush(silent);
    text = dump(silent);
  }
  std::vector<std::string> out{
      placed("conversation.item.added", text, view.previous_item_id, next_event_id)};
  if (!is_open(item, turn))
    out.push_back(placed("conversation.item.done", text, view.previous_item_id, next_event_id));
  if (of_user && view.with_words) add_words(item, *turn, next_event_id, out);
  return out;
}

std::string truncated_event(const ItemTarget& target, std::string_view event_id) {
  return dump({{"type", "conversation.item.truncated"},
               {"event_id", event_id},
               {"item_id", target.item_id},
               {"content_index", target.content_index},
               {"audio_end_ms", target.audio_end_ms}});
}

std::string deleted_event(const std::string& item_id, std::string_view event_id) {
  return dump(
      {{"type", "conversation.item.deleted"}, {"event_id", event_id}, {"item_id", item_id}});
}

std::string retrieved_event(const transcript::Item& item,
                            const std::optional<transcript::Turn>& turn, bool spoken,
                            std::string_view event_id) {
  const std::string text = shown_item(item, turn, spoken);
  if (text.empty()) return {};
  std::string event = R"({"type":"conversation.item.retrieved","event_id":)";
  event += dump(Json(event_id));
  return event.append(R"(,"item":)").append(text) += '}';
}

}  // namespace verbatim::protocol
