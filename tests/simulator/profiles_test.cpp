// Each profile sends the events that were observed from its provider (docs/providers.md), and no
// others.
#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <stdexcept>

#include "simulator/profile.hpp"
#include "tests/simulator/client.hpp"

namespace verbatim::simulator::test {

namespace {

constexpr const char* transcript_done = "response.output_audio_transcript.done";

Client talking_to(const std::string& profile, const std::string& faults = {}) {
  Client client("any-model" + faults, {.profile = profile});
  if (profile != "vllm-omni") client.transcribe();
  return client;
}

Json weather_tools() {
  return Json::array({{{"type", "function"},
                       {"name", "get_weather"},
                       {"parameters", {{"properties", {{"city", {{"type", "string"}}}}}}}}});
}

bool has(const Client& client, const std::string& type) { return !client.all(type).empty(); }

}  // namespace

TEST_CASE("a profile is chosen by its name, and the list has them all", "[simulator]") {
  CHECK(profile_named("").name == "openai");
  CHECK(profile_named("azure").path == "/openai/v1/realtime");
  CHECK_THROWS_WITH(profile_named("opnai"), Catch::Contains("speech-to-speech"));
  CHECK_THROWS_AS(Client("gpt-realtime+profile=nobody"), std::invalid_argument);
  CHECK(has(Client("grok+profile=xai"), "conversation.created"));
}

TEST_CASE("xAI announces a conversation, with a session of the old shape", "[simulator]") {
  Client client = talking_to("xai");
  CHECK(client.types() ==
        Types{"session.created", "conversation.created", "ping", "session.updated"});
  CHECK_FALSE(client.events[0]["session"].contains("audio"));
  CHECK(client.events[0]["session"]["modalities"] == Json::array({"audio"}));
  CHECK(client.events[0]["event_id"].get<std::string>().size() == 36);
  const Client silent("grok+no_session_created", {.profile = "xai"});
  CHECK(silent.types() == Types{"conversation.created", "ping"});
}

TEST_CASE("xAI adds an item when speech begins, and completes it repeatedly", "[simulator]") {
  Client client = talking_to("xai");
  client.say(2'000);
  client.pause(300);
  client.wait(1'000);
  const auto types = client.types();
  const auto first = [&](const char* type) { return std::find(types.begin(), types.end(), type); };
  CHECK(first("conversation.item.added") < first(completed));
  CHECK(first(completed) < first("input_audio_buffer.committed"));
  const auto words = client.all(completed);
  REQUIRE(words.size() > 2);
  CHECK(words.front()["status"] == "in_progress");
  CHECK(words.back()["status"] == "completed");
  for (std::size_t i = 1; i < words.size(); ++i) {
    const auto before = words[i - 1]["transcript"].get<std::string>();
    CHECK(words[i]["transcript"].get<std::string>().starts_with(before));
  }
  CHECK_FALSE(has(client, "conversation.item.input_audio_transcription.delta"));
}

TEST_CASE("xAI names no predecessor of user and tool items", "[simulator]") {
  Client client = talking_to("xai");
  client.update({{"tools", weather_tools()}});
  client.type("get weather, please");
  client.respond();
  client.wait(30'000);
  const auto added = client.all("conversation.item.added");
  REQUIRE(added.size() == 3);
  CHECK(added[0]["previous_item_id"].is_null());
  CHECK(added[1]["previous_item_id"] == added[0]["item"]["id"]);
  CHECK(added[2]["previous_item_id"].is_null());
  CHECK(added[2]["item"]["role"] == "tool");
  CHECK_FALSE(has(client, "conversation.item.done"));
}

TEST_CASE("xAI answers with a message and a call, both at output index 0", "[simulator]") {
  Client client = talking_to("xai");
  client.update({{"tools", weather_tools()}});
  client.type("get weather, please");
  client.respond();
  client.wait(30'000);
  const auto outputs = client.all("response.output_item.added");
  REQUIRE(outputs.size() == 2);
  CHECK(outputs[0]["item"]["type"] == "message");
  CHECK(outputs[1]["item"]["type"] == "function_call");
  CHECK(outputs[1]["output_index"] == 0);
  CHECK(client.all("response.created").size() == 1);
  const Json response = client.last("response.done")["response"];
  CHECK(response["output"].size() == 2);
  CHECK(response["output"][0]["content"][0]["type"] == "audio");
  CHECK(response["status_details"] == "unimplemented");
  CHECK(response["usage"].empty());
}

TEST_CASE("xAI's deletions name no item, and it has no truncation", "[simulator]") {
  Client client = talking_to("xai");
  client.send({{"type", "conversation.item.create"},
               {"item",
                {{"id", "mine"},
                 {"type", "message"},
                 {"role", "user"},
                 {"content", Json::array({{{"type", "input_text"}, {"text", "x"}}})}}}});
  CHECK(client.last("conversation.item.added")["item"]["id"] == "mine");
  client.send({{"type", "conversation.item.delete"}, {"item_id", "mine"}});
  CHECK(client.last("conversation.item.deleted")["item_id"] == "");
  client.send({{"type", "conversation.item.truncate"},
               {"item_id", "mine"},
               {"content_index", 0},
               {"audio_end_ms", 1}});
  CHECK(client.error()["code"] == "unknown_event");
}

TEST_CASE("xAI pings at any pace", "[simulator]") {
  Client client("grok", {.pace = 0, .profile = "xai"});
  client.wait(16'000);
  CHECK(client.all("ping").size() == 4);
}

TEST_CASE("xAI takes other rates, and its answers come at them", "[simulator]") {
  for (const int rate : {8'000, 16'000, 22'050, 44'100, 48'000}) {
    Client client("grok", {.pace = 0, .profile = "xai"});
    const Json format = {{"format", {{"type", "audio/pcm"}, {"rate", rate}}}};
    client.update({{"audio", {{"output", format}}}});
    client.respond();
    client.wait(0);
    std::size_t bytes = 0;
    for (const Json& delta : client.all("response.output_audio.delta"))
      bytes += decoded(delta["delta"]).size();
    const auto words = client.last(transcript_done)["transcript"].get<std::string>();
    const double seconds = static_cast<double>(bytes) / 2 / rate;
    CHECK(seconds == Approx(static_cast<double>(words.size()) * 0.065).epsilon(0.001));
  }
  Client strict;
  strict.update({{"audio", {{"output", {{"format", {{"type", "audio/pcm"}, {"rate", 16000}}}}}}}});
  CHECK(strict.error()["param"] == "session.audio.output.format.rate");
}

TEST_CASE("Azure transcribes only with its own deployments", "[simulator]") {
  for (const auto& [model, works] :
       {std::pair{"transcribe", true}, {"gpt-4o-mini-transcribe", false}}) {
    Client client("my-deployment", {.profile = "azure"});
    client.transcribe(model);
    client.say(1'000);
    client.pause(300);
    client.wait(1'000);
    CHECK(has(client, completed) == works);
    const Json failed = client.last("conversation.item.input_audio_transcription.failed");
    CHECK((failed.is_null() || failed["error"]["code"] == "DeploymentNotFound"));
    CHECK(failed.is_null() == works);
  }
}

TEST_CASE("Inworld puts an event's id before its type", "[simulator]") {
  Client client = talking_to("inworld");
  client.type("Hello?");
  client.respond({{"output_modalities", Json::array({"text"})}});
  client.wait(30'000);
  for (const std::string& frame : client.frames) CHECK(frame.starts_with(R"({"event_id":)"));
  CHECK(client.events[0]["session"].contains("providerData"));
  CHECK_FALSE(client.events[0]["session"].contains("expires_at"));
  const Json response = client.last("response.done")["response"];
  CHECK(response["output"][0]["content"][0]["type"] == "text");
  CHECK(response["usage"].is_null());
}

TEST_CASE("speech-to-speech sends finished sentences, and no item events", "[simulator]") {
  Client client = talking_to("speech-to-speech");
  CHECK(client.types() == Types{"session.created"});  // settings are accepted without an event
  client.say(2'000);
  client.pause(300);
  client.wait(30'000);
  const std::set<std::string> never = {"input_audio_buffer.committed", "conversation.item.added",
                                       "conversation.item.done",       "response.created",
                                       "response.output_item.added",   "response.output_item.done"};
  for (const std::string& type : client.types()) CHECK(never.count(type) == 0);
  const auto sentences = client.all(transcript_done);
  REQUIRE(sentences.size() > 1);
  for (const Json& sentence : sentences) {
    CHECK(sentence["item_id"] == sentences[0]["item_id"]);
    CHECK(sentence["content_index"] == 0);
    CHECK(std::string(".!?").find(sentence["transcript"].get<std::string>().back()) !=
          std::string::npos);
  }
  CHECK_FALSE(has(client, "response.output_audio_transcript.delta"));
  CHECK(client.last("response.done")["response"]["status"] == "completed");
  const auto pieces = client.all("conversation.item.input_audio_transcription.delta");
  REQUIRE(pieces.size() > 2);
  CHECK(pieces[2]["content_index"] == 2);
}

TEST_CASE("speech-to-speech echoes an item as it was sent, and is silent about others",
          "[simulator]") {
  Client client = talking_to("speech-to-speech");
  client.type("Hello?");
  const Json created = client.last("conversation.item.created");
  CHECK_FALSE(created["item"].contains("id"));
  CHECK(created["item"]["content"][0]["text"] == "Hello?");
  const std::size_t before = client.events.size();
  client.send({{"type", "conversation.item.create"},
               {"item",
                {{"type", "message"},
                 {"role", "assistant"},
                 {"content", Json::array({{{"type", "output_text"}, {"text", "Hi."}}})}}}});
  CHECK(client.events.size() == before);
}

TEST_CASE("speech-to-speech does not end a response that calls a function", "[simulator]") {
  Client client = talking_to("speech-to-speech");
  client.update({{"tools", weather_tools()}});
  client.type("get weather, please");
  client.respond();
  client.wait(30'000);
  CHECK(has(client, "response.created"));  // the client asked for it
  CHECK(has(client, "response.function_call_arguments.done"));
  CHECK_FALSE(has(client, "response.done"));
  client.type("And then?");
  client.respond();
  client.wait(30'000);
  CHECK(client.all("response.done").size() == 1);
}

TEST_CASE("vLLM-Omni answers a commit with pieces that name nothing", "[simulator]") {
  Client client = talking_to("vllm-omni");
  CHECK_FALSE(client.events[0].contains("session"));
  client.update({{"instructions", "Answer."}});
  client.say(1'000);
  client.pause(500);
  CHECK(client.types() == Types{"session.created"});
  client.send({{"type", "input_audio_buffer.commit"}});
  client.wait(30'000);
  const auto types = client.types();
  CHECK(std::set<std::string>(types.begin(), types.end()) ==
        std::set<std::string>{"session.created", "response.output_audio_transcript.delta",
                              "response.output_audio_transcript.done",
                              "response.output_audio.delta", "response.output_audio.done"});
  for (const Json& event : client.events) {
    for (const char* name : {"event_id", "item_id", "response_id"})
      CHECK_FALSE(event.contains(name));
  }
  const Json sound = client.last("response.output_audio.delta");
  CHECK(sound["sample_rate_hz"] == 24'000);
  CHECK(client.last(transcript_done)["text"] ==
        client.joined("response.output_audio_transcript.delta"));
}

TEST_CASE("vLLM-Omni has no events about items, answers or their end", "[simulator]") {
  Client client = talking_to("vllm-omni");
  for (const char* type : {"response.create", "response.cancel", "conversation.item.create",
                           "conversation.item.truncate"}) {
    client.send({{"type", type}});
    CHECK(client.events.back()["error"] == std::string("Unknown event type: ") + type);
    CHECK(client.events.back()["code"] == "unknown_event");
  }
}

}  // namespace verbatim::simulator::test
