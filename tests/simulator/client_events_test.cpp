// Each client event, correct and wrong.
#include <catch2/catch.hpp>

#include "tests/simulator/client.hpp"

namespace verbatim::simulator::test {

namespace {

Json message(const std::string& id, const std::string& text, const std::string& role = "user") {
  const std::string type = role == "assistant" ? "output_text" : "input_text";
  return {{"id", id},
          {"type", "message"},
          {"role", role},
          {"content", Json::array({{{"type", type}, {"text", text}}})}};
}
Json create(const Json& item) { return {{"type", "conversation.item.create"}, {"item", item}}; }
Json create(const Json& item, const std::string& after) {
  Json event = create(item);
  event["previous_item_id"] = after;
  return event;
}
Json about(const std::string& type, const std::string& item) {
  return {{"type", type}, {"item_id", item}};
}
Json truncate(const std::string& item, std::int64_t ms) {
  Json event = about("conversation.item.truncate", item);
  event["content_index"] = 0;
  event["audio_end_ms"] = ms;
  return event;
}
const Json weather = {
    {"type", "function"},
    {"name", "get_weather"},
    {"parameters",
     {{"type", "object"},
      {"properties", {{"city", {{"type", "string"}}}, {"days", {{"type", "integer"}}}}}}}};

}  // namespace

TEST_CASE("a message that is not an event gets an error, and the session goes on", "[simulator]") {
  Client client("gpt-realtime", {.pace = 0});
  const std::string bad[] = {
      "",
      "{\"type\":",
      "[]",
      "{\"no\":\"type\"}",
      "{\"type\":7}",
      "{\"type\":\"no.such.event\"}",
      "{\"type\":\"session.update\"}",
      "{\"type\":\"session.update\",\"session\":7}",
      "{\"type\":\"session.update\",\"session\":{\"type\":\"realtime\",\"audio\":null}}",
      "{\"type\":\"input_audio_buffer.append\"}",
      "{\"type\":\"input_audio_buffer.append\",\"audio\":7}",
      "{\"type\":\"input_audio_buffer.append\",\"audio\":\"!!!!\"}",
      "{\"type\":\"input_audio_buffer.append\",\"audio\":\"AAA\"}",
      "{\"type\":\"conversation.item.create\"}",
      "{\"type\":\"conversation.item.create\",\"item\":[]}",
      "{\"type\":\"conversation.item.create\",\"item\":{\"type\":\"poem\"}}",
      "{\"type\":\"conversation.item.create\",\"item\":{\"type\":\"message\",\"role\":\"user\"}}",
      "{\"type\":\"conversation.item.retrieve\"}",
      "{\"type\":\"conversation.item.delete\",\"item_id\":7}",
      "{\"type\":\"conversation.item.truncate\",\"item_id\":\"x\",\"content_index\":0}",
      "{\"type\":\"response.create\",\"response\":7}",
      "{\"type\":\"response.create\",\"response\":{\"modalities\":[\"text\"]}}",
      "{\"type\":\"response.create\",\"response\":{\"input\":[7],\"tools\":[{\"type\":7}]}}",
  };
  for (const std::string& message : bad) {
    const std::size_t before = client.events.size();
    client.send_raw(message);
    INFO(message);
    REQUIRE(client.events.size() == before + 1);
    CHECK(client.error()["type"] == "invalid_request_error");
    CHECK_FALSE(client.error()["message"].get<std::string>().empty());
  }
  CHECK(client.endings.empty());
  client.type("Still there?");
  client.respond();
  client.wait(0);
  CHECK(client.last("response.done")["response"]["status"] == "completed");
}

TEST_CASE("an error names code, field and the client's event", "[simulator]") {
  Client client;
  client.send({{"type", "no.such.event"}, {"event_id", "mine_1"}});
  CHECK(client.error()["code"] == "invalid_value");
  CHECK(client.error()["param"] == "type");
  CHECK(client.error()["event_id"] == "mine_1");
  client.send(Json{{"type", "conversation.item.retrieve"}});
  CHECK(client.error()["code"] == "missing_required_parameter");
  CHECK(client.error()["param"] == "item_id");
  CHECK(client.error()["event_id"].is_null());
}

TEST_CASE("session.created shows the provider's whole session", "[simulator]") {
  Options options;
  options.unix_offset_ms = 1'700'000'000'000;
  const Client client("gpt-realtime-2.1", options, 5'000);
  const Json& session = client.events[0]["session"];
  for (const char* field : {"type", "object", "id", "model", "output_modalities", "instructions",
                            "tools", "tool_choice", "max_output_tokens", "tracing", "truncation",
                            "prompt", "expires_at", "audio", "include"}) {
    CHECK(session.contains(field));
  }
  CHECK(session["model"] == "gpt-realtime-2.1");
  CHECK(session["expires_at"] == 1'700'000'005 + 3'600);
  CHECK(session["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 200);
  CHECK(client.frames[0].starts_with(R"({"type":"session.created","event_id":"event_)"));
}

TEST_CASE("session.update merges: absent stays, null clears", "[simulator]") {
  Client client;
  client.update({{"instructions", "Be brief."}, {"tools", {weather}}, {"model", "ignored"}});
  client.transcribe("whisper-1");
  Json session = client.last("session.updated")["session"];
  CHECK(session["instructions"] == "Be brief.");
  CHECK(session["tools"].size() == 1);
  CHECK(session["model"] == "gpt-realtime");
  CHECK(session["audio"]["input"]["transcription"] ==
        Json{{"model", "whisper-1"}, {"language", nullptr}, {"prompt", nullptr}});
  CHECK(session["audio"]["input"]["turn_detection"]["type"] == "server_vad");

  client.update(
      {{"tools", nullptr},
       {"audio", {{"input", {{"transcription", nullptr}, {"turn_detection", nullptr}}}}}});
  session = client.last("session.updated")["session"];
  CHECK(session["tools"] == Json::array());
  CHECK(session["audio"]["input"]["transcription"].is_null());
  CHECK(session["audio"]["input"]["turn_detection"].is_null());
  CHECK(session["audio"]["output"]["voice"] == "alloy");
}

TEST_CASE("a session.update with one fault changes nothing", "[simulator]") {
  Client client;
  const auto refused = [&](const Json& session, const std::string& code, const std::string& param) {
    client.send(Json{{"type", "session.update"}, {"session", session}});
    CHECK(client.error()["code"] == code);
    CHECK(client.error()["param"] == param);
  };
  refused({{"instructions", "x"}}, "missing_required_parameter", "session.type");
  refused({{"type", "realtime"}, {"instructions", "x"}, {"modalities", {"text"}}},
          "unknown_parameter", "session.modalities");
  refused({{"type", "realtime"}, {"instructions", "x"}, {"output_modalities", {"text", "audio"}}},
          "invalid_value", "session.output_modalities");
  refused({{"type", "realtime"},
           {"instructions", "x"},
           {"audio", {{"input", {{"turn_detection", {{"threshold", 2}}}}}}}},
          "invalid_value", "session.audio.input.turn_detection.threshold");
  refused({{"type", "realtime"},
           {"instructions", "x"},
           {"audio", {{"output", {{"format", {{"type", "mp3"}}}}}}}},
          "invalid_value", "session.audio.output.format");
  client.update(Json::object());
  CHECK(client.last("session.updated")["session"]["instructions"] != "x");
}

TEST_CASE("the voice cannot change once the model has spoken", "[simulator]") {
  Client client("gpt-realtime", {.pace = 0});
  const auto voice = [](const char* name) {
    return Json{{"audio", {{"output", {{"voice", name}}}}}};
  };
  client.update(voice("marin"));
  CHECK(client.last("session.updated")["session"]["audio"]["output"]["voice"] == "marin");
  client.respond();
  client.update(voice("marin"));
  CHECK(client.events.back()["type"] == "session.updated");
  client.update(voice("alloy"));
  CHECK(client.error()["code"] == "cannot_update_voice");
}

TEST_CASE("without turn detection the client commits, and asks for the answer", "[simulator]") {
  Client client;
  client.transcribe();
  client.update({{"audio", {{"input", {{"turn_detection", nullptr}}}}}});
  client.say(2'000);
  client.pause(1'000);
  CHECK(client.all("input_audio_buffer.speech_started").empty());
  const std::size_t before = client.events.size();
  client.send({{"type", "input_audio_buffer.commit"}});
  CHECK(client.types(before) == std::vector<std::string>{"input_audio_buffer.committed",
                                                         "conversation.item.added",
                                                         "conversation.item.done"});
  client.wait(5'000);
  CHECK(client.last("conversation.item.input_audio_transcription.completed")["transcript"] ==
        "You are now hearing utterance 1, about three seconds long.");
  CHECK(client.all("response.created").empty());
  client.respond();
  CHECK(client.all("response.created").size() == 1);
}

TEST_CASE("a commit in mid-speech keeps the utterance's item", "[P2][simulator]") {
  Client client;
  client.transcribe();
  client.say(2'000);
  const Json item = client.last("input_audio_buffer.speech_started")["item_id"];
  client.send({{"type", "input_audio_buffer.commit"}});
  CHECK(client.last("input_audio_buffer.committed")["item_id"] == item);
  client.wait(5'000);
  const Json words = client.last("conversation.item.input_audio_transcription.completed");
  CHECK(words["item_id"] == item);
  CHECK_FALSE(words["transcript"].get<std::string>().empty());
}

TEST_CASE("speech after a commit or a clear begins a new utterance", "[P13][simulator]") {
  for (const char* type : {"input_audio_buffer.commit", "input_audio_buffer.clear"}) {
    Client client;
    client.say(1'000);
    client.send({{"type", type}});
    client.say(1'000);
    client.pause(300);
    const auto started = client.all("input_audio_buffer.speech_started");
    INFO(type);
    REQUIRE(started.size() == 2);
    CHECK(started[0]["item_id"] != started[1]["item_id"]);
    CHECK(started[1]["audio_start_ms"] == 1'000);  // padding does not reach back beyond the cut
    CHECK(client.last("input_audio_buffer.committed")["item_id"] == started[1]["item_id"]);
  }
}

TEST_CASE("an empty buffer cannot be committed, silence is committed without words",
          "[simulator]") {
  Client client;
  client.transcribe();
  const Json commit = {{"type", "input_audio_buffer.commit"}};
  client.send(commit);
  CHECK(client.error()["code"] == "input_audio_buffer_commit_empty");
  client.pause(90);
  client.send(commit);
  CHECK(client.error()["code"] == "input_audio_buffer_commit_empty");
  client.pause(500);
  client.send(commit);
  client.wait(5'000);
  const Json words = client.last("conversation.item.input_audio_transcription.completed");
  CHECK(words["transcript"] == "");
  CHECK(words["usage"]["seconds"] == 0);
}

TEST_CASE("a cleared utterance never becomes an item", "[P13][simulator]") {
  Client client;
  client.transcribe();
  client.say(1'000);
  client.send({{"type", "input_audio_buffer.clear"}});
  CHECK(client.events.back()["type"] == "input_audio_buffer.cleared");
  client.pause(5'000);
  CHECK(client.all("input_audio_buffer.committed").empty());
  client.send({{"type", "input_audio_buffer.clear"}});
  client.send({{"type", "input_audio_buffer.commit"}});
  CHECK(client.error()["code"] == "input_audio_buffer_commit_empty");
}

TEST_CASE("items go where the client wants them, under the client's ids", "[P4][simulator]") {
  Client client;
  client.send(create(message("b", "second")));
  client.send(create(message("d", "fourth", "assistant")));
  client.send(create(message("a", "first", "system"), "root"));
  client.send(create(message("c", "third"), "b"));
  const auto added = client.all("conversation.item.added");
  REQUIRE(added.size() == 4);
  CHECK(added[0]["previous_item_id"].is_null());
  CHECK(added[1]["previous_item_id"] == "b");
  CHECK(added[2]["previous_item_id"].is_null());
  CHECK(added[3]["previous_item_id"] == "b");
  CHECK(added[1]["item"]["content"][0]["text"] == "fourth");
  CHECK(added[1]["item"]["status"] == "completed");

  client.send(create(message("e", "nowhere"), "no-such-item"));
  CHECK(client.error()["param"] == "previous_item_id");
  client.send(create(message("b", "again")));
  CHECK(client.error()["code"] == "item_create_duplicate_item_id");
}

TEST_CASE("items are retrieved and deleted by id", "[simulator]") {
  Client client("gpt-realtime", {.pace = 0});
  client.send(create(message("a", "first")));
  client.send(about("conversation.item.retrieve", "a"));
  CHECK(client.events.back()["item"]["content"][0]["text"] == "first");
  client.send(about("conversation.item.delete", "a"));
  CHECK(client.events.back()["type"] == "conversation.item.deleted");
  client.send(about("conversation.item.retrieve", "a"));
  CHECK(client.error()["code"] == "item_retrieve_invalid_item_id");
  client.send(about("conversation.item.delete", "a"));
  CHECK(client.error()["code"] == "item_delete_invalid_item_id");
}

TEST_CASE("a spoken item shows its words once they are known", "[simulator]") {
  Client client;
  client.transcribe();
  client.say(1'000);
  client.pause(300);
  const std::string item = client.last("input_audio_buffer.committed")["item_id"];
  client.send(about("conversation.item.retrieve", item));
  CHECK(client.events.back()["item"]["content"][0]["transcript"].is_null());
  client.pause(3'000);
  const Json words = client.last("conversation.item.input_audio_transcription.completed");
  client.send(about("conversation.item.retrieve", item));
  CHECK(client.events.back()["item"]["content"][0]["transcript"] == words["transcript"]);
}

TEST_CASE("truncation cuts spoken answers only, and clamps what is too long", "[P5][simulator]") {
  Client client("gpt-realtime", {.pace = 0});
  client.send(create(message("typed", "Hello?")));
  client.send(truncate("typed", 100));
  CHECK(client.error()["code"] == "unsupported_content_type");
  CHECK(client.error()["message"] == "Only model output audio messages can be truncated");
  client.send(truncate("no-such-item", 100));
  CHECK(client.error()["code"] == "item_truncate_invalid_item_id");

  client.respond();
  client.wait(0);
  const std::string answer = client.last("response.done")["response"]["output"][0]["id"];
  std::string sent;
  for (const Json& delta : client.all("response.output_audio.delta")) {
    sent += decoded(delta["delta"]);
  }
  const auto all_ms = static_cast<std::int64_t>(sent.size() / 48);
  client.send(truncate(answer, all_ms + 5'000));
  const std::size_t count = client.events.size();
  const Json error = client.events[count - 2]["error"];
  CHECK(error["message"] == "Audio content of " + std::to_string(all_ms) +
                                "ms is already shorter than " + std::to_string(all_ms + 5'000) +
                                "ms");
  CHECK(error["event_id"].is_null());
  CHECK(client.events.back()["type"] == "conversation.item.truncated");
  CHECK(client.events.back()["audio_end_ms"] == all_ms);

  client.send(truncate(answer, 300));
  CHECK(client.events.back()["audio_end_ms"] == 300);
  client.send(about("conversation.item.retrieve", answer));
  const Json part = client.events.back()["item"]["content"][0];
  CHECK(part["transcript"].is_null());
  CHECK(decoded(part["audio"]) == sent.substr(0, 300 * 48));
}

TEST_CASE("one response at a time, but any number beside the conversation", "[simulator]") {
  Client client;
  client.respond();
  client.respond();
  CHECK(client.error()["code"] == "conversation_already_has_active_response");
  client.respond({{"conversation", "none"},
                  {"output_modalities", {"text"}},
                  {"metadata", {{"topic", "aside"}}},
                  {"instructions", "Classify."},
                  {"input", Json::array({message("x", "Only this?")})}});
  client.wait(30'000);
  const auto done = client.all("response.done");
  REQUIRE(done.size() == 2);
  CHECK(done[0]["response"]["conversation_id"].is_null());
  CHECK(done[0]["response"]["metadata"] == Json{{"topic", "aside"}});
  CHECK(done[0]["response"]["output"][0]["content"][0]["text"] == "You said: Only this?");
  CHECK(done[1]["response"]["metadata"].is_null());
  CHECK(client.all("conversation.item.added").size() == 1);
  CHECK(client.all("response.output_item.added").size() == 2);
}

TEST_CASE("a cancelled response gets all its done events", "[simulator]") {
  Client client;
  client.send({{"type", "response.cancel"}});
  CHECK(client.error()["code"] == "response_cancel_not_active");
  client.respond();
  client.wait(700);
  const std::string before = client.joined("response.output_audio_transcript.delta");
  REQUIRE_FALSE(before.empty());
  client.send({{"type", "response.cancel"}});
  const std::string said = client.joined("response.output_audio_transcript.delta");
  CHECK(said.size() > before.size());  // one was in progress
  CHECK(client.last("response.output_audio_transcript.done")["transcript"] == said);
  CHECK(client.last("conversation.item.done")["item"]["status"] == "incomplete");
  const Json response = client.events.back()["response"];
  CHECK(response["status"] == "cancelled");
  CHECK(response["status_details"]["reason"] == "client_cancelled");
  client.wait(30'000);
  CHECK(client.events.back()["type"] == "response.done");
  client.respond();
  CHECK(client.events.back()["type"] == "response.created");
  client.send({{"type", "response.cancel"}, {"response_id", "resp_other"}});
  CHECK(client.error()["code"] == "response_cancel_not_active");
}

TEST_CASE("a limit of tokens makes an answer incomplete", "[simulator]") {
  Client client("gpt-realtime", {.pace = 0});
  client.respond({{"max_output_tokens", 3}});
  client.wait(0);
  const Json response = client.last("response.done")["response"];
  CHECK(response["status"] == "incomplete");
  CHECK(response["status_details"]["reason"] == "max_output_tokens");
  CHECK(client.all("response.output_audio_transcript.delta").size() == 3);
}

TEST_CASE("a tool is called when it is asked for by name, and its output is put in words",
          "[simulator]") {
  Client client("gpt-realtime", {.pace = 0});
  client.update({{"tools", {weather}}, {"output_modalities", {"text"}}});
  client.type("Just talk.");
  client.respond();
  client.wait(0);
  CHECK(client.all("response.function_call_arguments.done").empty());

  client.type("Please get weather for me.");
  const std::size_t before = client.events.size();
  client.respond();
  client.wait(0);
  auto shape = client.shape(before);
  if (shape.back() == "rate_limits.updated") shape.pop_back();
  CHECK(shape == std::vector<std::string>{
                     "response.created", "response.output_item.added", "conversation.item.added",
                     "response.function_call_arguments.delta",
                     "response.function_call_arguments.done", "conversation.item.done",
                     "response.output_item.done", "response.done"});
  const Json call = client.last("response.done")["response"]["output"][0];
  CHECK(call["type"] == "function_call");
  CHECK(call["name"] == "get_weather");
  CHECK(Json::parse(call["arguments"].get<std::string>()) ==
        Json{{"city", "example"}, {"days", 1}});

  const auto output = [](const Json& call_id) {
    return create({{"type", "function_call_output"}, {"call_id", call_id}, {"output", "Foggy."}});
  };
  client.send(output("call_unknown"));
  CHECK(client.error()["code"] == "invalid_tool_call_id");
  client.send(output(call["call_id"]));
  CHECK_FALSE(client.events.back()["item"].contains("status"));
  client.respond();
  client.wait(0);
  CHECK(client.last("response.output_text.done")["text"] == "The tool says: Foggy.");
}

TEST_CASE("tool_choice forces a call or forbids it", "[simulator]") {
  Client client("gpt-realtime", {.pace = 0});
  client.update({{"tools", {weather}}});
  client.respond({{"tool_choice", "required"}});
  client.wait(0);
  CHECK(client.last("response.done")["response"]["output"][0]["type"] == "function_call");
  client.respond({{"tool_choice", {{"type", "function"}, {"name", "get_weather"}}}});
  client.wait(0);
  CHECK(client.last("response.done")["response"]["output"][0]["type"] == "function_call");
  client.type("get_weather");
  client.respond({{"tool_choice", "none"}});
  client.wait(0);
  CHECK(client.last("response.done")["response"]["output"][0]["type"] == "message");
}

}  // namespace verbatim::simulator::test
