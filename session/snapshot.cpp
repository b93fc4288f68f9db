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

nlohmann::json response_object(const std::string& id, const char* status, nlohmann::json details,
                               nlohmann::json output) {
  return {{"id", id},
          {"object", "realtime.response"},
          {"status", status},
          {"status_details", std::move(details)},
          {"output", std::move(output)},
          {"usage", nullptr}};
}

// An answer in the middle: announced, with its words so far as one delta, so that what the
// provider says next continues it.
void tell_running(const Transcript& transcript, const Transcript::Running& response, bool spoken,
                  const EventIds& next_event_id, std::vector<std::string>& out) {
  out.push_back(dump({{"type", "response.created"},
                      {"event_id", next_event_id()},
                      {"response", response_object(response.response_id, "in_progress", nullptr,
                                                   nlohmann::json::array())}}));
  int index = 0;
  for (const std::string& item_id : response.item_ids) {
    const int output_index = index++;
    if (!is_open(transcript, item_id)) continue;
    out.push_back(dump({{"type", "response.output_item.added"},
                        {"event_id", next_event_id()},
                        {"response_id", response.response_id},
                        {"output_index", output_index},
                        {"item", item_of(transcript, item_id, spoken)}}));
    const auto turn = transcript.turn(item_id);
    if (!turn || turn->text.empty()) continue;
    const char* const kind = spoken ? "audio" : "text";
    const char* const words = spoken ? "transcript" : "text";
    out.push_back(dump({{"type", "response.content_part.added"},
                        {"event_id", next_event_id()},
                        {"response_id", response.response_id},
                        {"item_id", item_id},
                        {"output_index", output_index},
                        {"content_index", 0},
                        {"part", {{"type", kind}, {words, ""}}}}));
    out.push_back(dump(
        {{"type", spoken ? "response.output_audio_transcript.delta" : "response.output_text.delta"},
         {"event_id", next_event_id()},
         {"response_id", response.response_id},
         {"item_id", item_id},
         {"output_index", output_index},
         {"content_index", 0},
         {"delta", turn->text.utf8()}}));
  }
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

std::vector<std::string> snapshot(const Transcript& transcript, const SessionSettings& settings,
                                  const EventIds& next_event_id) {
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
  for (const Transcript::Running& response : transcript.running()) {
    if (!response.out_of_band) tell_running(transcript, response, spoken, next_event_id, out);
  }
  return out;
}

std::vector<std::string> cut_off_answers(const Transcript& transcript, bool spoken,
                                         const EventIds& next_event_id) {
  std::vector<std::string> out;
  for (const Transcript::Running& response : transcript.running()) {
    nlohmann::json output = nlohmann::json::array();
    int index = 0;
    for (const std::string& item_id : response.item_ids) {
      nlohmann::json item = item_of(transcript, item_id, spoken);
      const int output_index = index++;
      if (!item.is_object()) continue;
      if (is_open(transcript, item_id)) {
        item["status"] = "incomplete";
        if (const auto turn = transcript.turn(item_id); turn && !turn->text.empty()) {
          const std::string text = turn->text.utf8();
          item["content"] = nlohmann::json::array(
              {spoken ? nlohmann::json{{"type", "output_audio"}, {"transcript", text}}
                      : nlohmann::json{{"type", "output_text"}, {"text", text}}});
        }
        out.push_back(dump({{"type", "response.output_item.done"},
                            {"event_id", next_event_id()},
                            {"response_id", response.response_id},
                            {"output_index", output_index},
                            {"item", item}}));
      }
      output.push_back(std::move(item));
    }
    nlohmann::json done =
        response_object(response.response_id, "incomplete",
                        {{"type", "incomplete"}, {"reason", "connection_lost"}}, std::move(output));
    if (response.out_of_band) done["conversation_id"] = nullptr;
    out.push_back(dump(
        {{"type", "response.done"}, {"event_id", next_event_id()}, {"response", std::move(done)}}));
  }
  return out;
}

}  // namespace verbatim::session
