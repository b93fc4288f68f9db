// Conversations whose upstream connection is lost or replaced; shared by the tests of both.
#pragma once

#include "tests/session/options.hpp"
#include "tests/session/stage.hpp"

namespace verbatim::session::test {

inline const LinkEnd lost{false, 0, "reset"};

inline SessionOptions with_reconnect() {
  SessionOptions options = usual_options();
  options.reconnect = {3, 200, 5000, 7};
  return options;
}

inline std::string created(const std::string& id, std::int64_t expires_at_s = 0) {
  return Json{{"type", "session.created"},
              {"event_id", "created_" + id},
              {"session",
               {{"type", "realtime"},
                {"id", id},
                {"expires_at", expires_at_s},
                {"model", "m"},
                {"audio", {{"input", {{"transcription", nullptr}}}}}}}}
      .dump();
}

inline std::string added(const Json& item, const Json& previous, const std::string& event_id) {
  return Json{{"type", "conversation.item.added"},
              {"event_id", event_id},
              {"previous_item_id", previous},
              {"item", item}}
      .dump();
}

inline Json typed_message(const std::string& id, const std::string& text) {
  return {{"id", id},
          {"type", "message"},
          {"role", "user"},
          {"status", "completed"},
          {"content", Json::array({{{"type", "input_text"}, {"text", text}}})}};
}

/// A question, and an answer with the text "Hello" so far.
inline void converse(Stage& stage) {
  stage.provider(added(typed_message("u0", "Hi."), nullptr, "c1"));
  stage.provider(R"({"type":"response.created","event_id":"c2","response":{"id":"r1"}})");
  stage.provider(R"({"type":"response.output_item.added","event_id":"c3","response_id":"r1",)"
                 R"("output_index":0,"item":{"id":"a1","type":"message","role":"assistant",)"
                 R"("status":"in_progress","content":[]}})");
  stage.provider(added({{"id", "a1"},
                        {"type", "message"},
                        {"role", "assistant"},
                        {"status", "in_progress"},
                        {"content", Json::array()}},
                       "u0", "c4"));
  stage.provider(first_delta);
  stage.journal.sync();
  stage.drain_client();
}

inline void finish_answer(Stage& stage) {
  stage.provider(
      R"({"type":"response.output_audio_transcript.done","event_id":"f1","response_id":"r1",)"
      R"("item_id":"a1","output_index":0,"content_index":0,"transcript":"Hello"})");
  stage.provider(
      R"({"type":"response.output_item.done","event_id":"f2","response_id":"r1","output_index":0,)"
      R"("item":{"id":"a1","type":"message","role":"assistant","status":"completed","content":)"
      R"([{"type":"output_audio","transcript":"Hello"}]}})");
  stage.provider(
      R"({"type":"response.done","event_id":"f3","response":{"id":"r1","status":"completed",)"
      R"("output":[]}})");
  stage.journal.sync();
  stage.drain_client();
}

/// The provider accepts the history on a new connection, as the real one does.
inline void accept_rebuild(Stage& stage) {
  int n = 0;
  for (const std::string& message : stage.drain_upstream()) {
    const Json event = Json::parse(message);
    if (event["type"] == "session.update") stage.provider(updated_with_transcription);
    if (event["type"] != "conversation.item.create") continue;
    stage.provider(added(event["item"], nullptr, "echo_" + std::to_string(++n)));
    Json done = Json::parse(added(event["item"], nullptr, "echo_" + std::to_string(++n)));
    done["type"] = "conversation.item.done";
    stage.provider(done.dump());
  }
}

inline void reconnect(Stage& stage, const std::string& id) {
  stage.pass(10'000);
  stage.session.upstream_opened(stage.dial(), stage.clock);
  stage.provider(created(id));
  stage.journal.sync();
  accept_rebuild(stage);
}

inline std::vector<std::string> types(const std::vector<std::string>& messages) {
  std::vector<std::string> out;
  for (const std::string& message : messages) out.push_back(Json::parse(message)["type"]);
  return out;
}

}  // namespace verbatim::session::test
