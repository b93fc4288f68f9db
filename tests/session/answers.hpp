// Answers in progress, as a provider announces them, and the events that end them.
#pragma once

#include "tests/session/rebuild.hpp"

namespace verbatim::session::test {

using Types = std::vector<std::string>;

/// Sends the events of an answer as the provider does, each with an id of its own.
struct Provider {
  explicit Provider(Stage& its_stage) : stage(its_stage) {}

  void say(const char* type, Json members) {
    members["type"] = type;
    members["event_id"] = "p" + std::to_string(++count);
    stage.provider(members.dump());
  }
  void respond(const std::string& id, Json more = Json::object()) {
    Json response = {{"id", id},
                     {"object", "realtime.response"},
                     {"status", "in_progress"},
                     {"status_details", nullptr},
                     {"output", Json::array()},
                     {"conversation_id", "conv_1"},
                     {"output_modalities", {"audio"}},
                     {"max_output_tokens", "inf"},
                     {"audio", {{"output", {{"voice", "cedar"}}}}},
                     {"usage", nullptr},
                     {"metadata", {{"topic", "greeting"}}}};
    response.update(more);
    say("response.created", {{"response", response}});
  }
  void item(const std::string& response, int index, const Json& item, const Json& previous) {
    say("response.output_item.added",
        {{"response_id", response}, {"output_index", index}, {"item", item}});
    if (!previous.is_discarded())
      say("conversation.item.added", {{"previous_item_id", previous}, {"item", item}});
  }
  void in_part(const char* type, const std::string& response, int index, const std::string& item,
               int content, Json more = Json::object()) {
    more.update({{"response_id", response},
                 {"item_id", item},
                 {"output_index", index},
                 {"content_index", content}});
    say(type, more);
  }

  Stage& stage;
  int count = 0;
};

/// For an out-of-band answer: it has no place in the conversation.
inline const Json nowhere = Json::value_t::discarded;

inline Json message(const std::string& id) {
  return {{"id", id},
          {"object", "realtime.item"},
          {"type", "message"},
          {"status", "in_progress"},
          {"role", "assistant"},
          {"content", Json::array()}};
}

inline Json call(const std::string& id) {
  return {{"id", id},           {"type", "function_call"}, {"status", "in_progress"},
          {"name", "get_time"}, {"call_id", "call_7"},     {"arguments", ""}};
}

inline std::vector<Json> parsed(const std::vector<std::string>& messages) {
  std::vector<Json> out;
  for (const std::string& bytes : messages) out.push_back(Json::parse(bytes));
  return out;
}

/// Closes the upstream connection, and returns what the client then gets.
inline std::vector<Json> lose(Stage& stage) {
  stage.journal.sync();
  stage.drain_client();
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  stage.journal.sync();
  return parsed(stage.drain_client());
}

inline Types types_of(const std::vector<Json>& events) {
  Types out;
  for (const Json& event : events) out.push_back(event["type"]);
  return out;
}

inline const Types spoken_end = {"response.output_audio.done",
                                 "response.output_audio_transcript.done",
                                 "response.content_part.done"};
inline const Types written_end = {"response.output_text.done", "response.content_part.done"};
inline const Types item_end = {"conversation.item.done", "response.output_item.done"};

inline Types joined(std::initializer_list<Types> lists) {
  Types out;
  for (const Types& list : lists) out.insert(out.end(), list.begin(), list.end());
  return out;
}

}  // namespace verbatim::session::test
