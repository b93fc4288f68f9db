#include "session/snapshot.hpp"

#include "base/json/dump.hpp"

#include <utility>

#include "base/json/writer.hpp"
#include "session/protocol/item_writer.hpp"

namespace verbatim::session {

namespace {

/// An item with more JSON than this beside its text counts as large.
constexpr std::size_t large_detail_bytes = 4096;

std::string placed(const char* type, const std::string& item, const std::string& previous,
                   const EventIds& next_event_id) {
  json::ObjectWriter out;
  out.add("type", json::quoted(type));
  out.add("event_id", dump(nlohmann::json(next_event_id())));
  out.add("previous_item_id", dump(or_null(previous)));
  out.add("item", item);
  return out.text();
}

bool is_open(const Item& item, const std::optional<Turn>& turn) {
  if (turn) return turn->role == Role::assistant && turn->status == TurnStatus::in_progress;
  return item.status == ItemStatus::in_progress;
}

/// Removes the transcript from a spoken item, for a client that wants no transcription.
void hush(nlohmann::json& item) {
  const auto content = item.find("content");
  if (content == item.end() || !content->is_array()) return;
  for (nlohmann::json& part : *content)
    if (part.is_object() && part.contains("transcript")) part["transcript"] = nullptr;
}

/// Writes the provider's transcription events for a user's speech: completed, the text so far, or
/// failed. `usage` is left out: it was billed when the text came.
void send_words(const Item& item, const Turn& turn, const EventIds& next_event_id,
                std::vector<std::string>& out) {
  const auto emit = [&](const char* what, const Part& part, nlohmann::json members) {
    members["type"] = std::string("conversation.item.input_audio_transcription.") + what;
    members["event_id"] = next_event_id();
    members["item_id"] = item.id;
    members["content_index"] = part.content_index;
    out.push_back(dump(members));
  };
  for (const Part& part : item.parts) {
    if (!part.spoken_input) continue;
    const bool over = turn.status != TurnStatus::in_progress;
    const bool failed = turn.status == TurnStatus::failed ||
                        (turn.status == TurnStatus::interrupted && part.text.empty());
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

struct Way {
  const std::string& previous_item_id;
  bool spoken;
  bool with_words;
};

std::vector<std::string> shown_as(const Item& item, const std::optional<Turn>& turn, const Way& way,
                                  const EventIds& next_event_id) {
  std::string text = shown_item(item, turn, way.spoken);
  if (text.empty()) return {};
  const bool of_user = turn && turn->role == Role::user;
  if (of_user && !way.with_words) {
    auto silent = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!silent.is_object()) return {};
    hush(silent);
    text = dump(silent);
  }
  std::vector<std::string> out{
      placed("conversation.item.added", text, way.previous_item_id, next_event_id)};
  if (!is_open(item, turn))
    out.push_back(placed("conversation.item.done", text, way.previous_item_id, next_event_id));
  if (of_user && way.with_words) send_words(item, *turn, next_event_id, out);
  return out;
}

}  // namespace

std::vector<std::string> shown(const Transcript& transcript, const std::string& item_id,
                               const std::string& previous_item_id, bool spoken,
                               const EventIds& next_event_id, bool with_words) {
  const auto item = transcript.item(item_id);
  if (!item) return {};
  return shown_as(*item, transcript.turn(item_id), {previous_item_id, spoken, with_words},
                  next_event_id);
}

std::vector<std::string> snapshot(const Transcript& transcript, const OpenAnswers& answers,
                                  const SessionSettings& settings, std::size_t large_bytes_max,
                                  const EventIds& next_event_id) {
  std::size_t large_left = large_bytes_max;
  std::vector<std::string> out{settings.created_message(next_event_id())};
  const bool spoken = settings.speaks();
  std::string previous;
  for (const std::string& item_id : transcript.chain()) {
    const auto turn = transcript.turn(item_id);
    if (turn && turn->deleted) continue;
    auto item = transcript.item(item_id);
    if (!item) continue;
    if (const std::size_t bytes = item->detail.size(); bytes > large_detail_bytes) {
      if (bytes <= large_left) {
        large_left -= bytes;
      } else if (turn) {
        item->detail.clear();
      } else {
        continue;
      }
    }
    const Way way{previous, spoken, !settings.hides_transcription()};
    for (std::string& message : shown_as(*item, turn, way, next_event_id))
      out.push_back(std::move(message));
    previous = item_id;
  }
  for (std::string& message : answers_so_far(answers, transcript, spoken, next_event_id))
    out.push_back(std::move(message));
  return out;
}

}  // namespace verbatim::session
