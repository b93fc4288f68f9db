#include "session/snapshot.hpp"

#include "session/json_tree.hpp"

#include <utility>

#include "session/item_json.hpp"

namespace verbatim::session {

namespace {

nlohmann::json item_of(const Transcript& transcript, const std::string& item_id, bool spoken) {
  const auto item = transcript.item(item_id);
  if (!item) return {};
  return nlohmann::json::parse(shown_item(*item, transcript.turn(item_id), spoken), nullptr, false);
}

std::string placed(const char* type, const nlohmann::json& item, const std::string& previous,
                   const EventIds& next_event_id) {
  return dump({{"type", type},
               {"event_id", next_event_id()},
               {"previous_item_id", or_null(previous)},
               {"item", item}});
}

bool is_open(const Transcript& transcript, const std::string& item_id) {
  const auto turn = transcript.turn(item_id);
  const auto item = transcript.item(item_id);
  if (!item) return false;
  if (turn) return turn->role == Role::assistant && turn->status == TurnStatus::in_progress;
  return item->status == ItemStatus::in_progress;
}

/// For a client that wants no transcription: speech without its words.
void hush(nlohmann::json& item) {
  const auto content = item.find("content");
  if (content == item.end() || !content->is_array()) return;
  for (nlohmann::json& part : *content)
    if (part.is_object() && part.contains("transcript")) part["transcript"] = nullptr;
}

/// What has become of a user's spoken words, as the provider says it: all of them, those so far, or
/// that there are none. `usage` is left out: it was billed when the words came.
void tell_words(const Item& item, const Turn& turn, const EventIds& next_event_id,
                std::vector<std::string>& out) {
  const auto tell = [&](const char* what, const Part& part, nlohmann::json members) {
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
      tell("failed", part,
           {{"error",
             {{"type", "transcription_error"},
              {"code", code},
              {"message", "Input transcription failed for item '" + item.id + "'."}}}});
    } else if (over) {
      tell("completed", part, {{"transcript", part.text.utf8()}});
    } else if (!part.text.empty()) {
      tell("delta", part, {{"delta", part.text.utf8()}});
    }
  }
}

}  // namespace

std::vector<std::string> shown(const Transcript& transcript, const std::string& item_id,
                               const std::string& previous_item_id, bool spoken,
                               const EventIds& next_event_id, bool with_words) {
  nlohmann::json item = item_of(transcript, item_id, spoken);
  if (!item.is_object()) return {};
  const auto turn = transcript.turn(item_id);
  const bool of_user = turn && turn->role == Role::user;
  if (of_user && !with_words) hush(item);
  std::vector<std::string> out{
      placed("conversation.item.added", item, previous_item_id, next_event_id)};
  if (!is_open(transcript, item_id))
    out.push_back(placed("conversation.item.done", item, previous_item_id, next_event_id));
  if (of_user && with_words) tell_words(*transcript.item(item_id), *turn, next_event_id, out);
  return out;
}

std::vector<std::string> snapshot(const Transcript& transcript, const OpenAnswers& answers,
                                  const SessionSettings& settings, const EventIds& next_event_id) {
  std::vector<std::string> out{settings.created_message(next_event_id())};
  const bool spoken = settings.speaks();
  std::string previous;
  for (const std::string& item_id : transcript.chain()) {
    const auto turn = transcript.turn(item_id);
    if (turn && turn->deleted) continue;
    for (std::string& message : shown(transcript, item_id, previous, spoken, next_event_id,
                                      !settings.hides_transcription()))
      out.push_back(std::move(message));
    previous = item_id;
  }
  for (std::string& message : answers_so_far(answers, transcript, spoken, next_event_id))
    out.push_back(std::move(message));
  return out;
}

}  // namespace verbatim::session
