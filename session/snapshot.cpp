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

}  // namespace

std::vector<std::string> shown(const Transcript& transcript, const std::string& item_id,
                               const std::string& previous_item_id, bool spoken,
                               const EventIds& next_event_id) {
  const nlohmann::json item = item_of(transcript, item_id, spoken);
  if (!item.is_object()) return {};
  std::vector<std::string> out{
      placed("conversation.item.added", item, previous_item_id, next_event_id)};
  if (!is_open(transcript, item_id))
    out.push_back(placed("conversation.item.done", item, previous_item_id, next_event_id));
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
    for (std::string& message : shown(transcript, item_id, previous, spoken, next_event_id))
      out.push_back(std::move(message));
    previous = item_id;
  }
  for (std::string& message : answers_so_far(answers, transcript, spoken, next_event_id))
    out.push_back(std::move(message));
  return out;
}

}  // namespace verbatim::session
