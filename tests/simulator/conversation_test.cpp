// A whole conversation from a client's view.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <set>

#include "session/protocol/openai/event_reader.hpp"
#include "session/transcript/transcript.hpp"
#include "tests/simulator/client.hpp"

namespace verbatim::simulator::test {

namespace {

/// The transcript that the relay's own engine makes of the stream.
transcript::FinalTranscript transcript_of(const Client& client) {
  transcript::Transcript transcript;
  TimeMs now = 0;
  for (const std::string& frame : client.frames) {
    if (const auto event = protocol::read_server_event(frame)) transcript.apply(*event, ++now);
  }
  return transcript::finalise(transcript, ++now);
}

const Types spoken_answer_tail = {
    "response.output_audio.done", "response.output_audio_transcript.done",
    "response.content_part.done", "conversation.item.done",
    "response.output_item.done",  "response.done"};

Types without(Types types, const std::string& unwanted) {
  types.erase(std::remove(types.begin(), types.end(), unwanted), types.end());
  return types;
}

}  // namespace

TEST_CASE("a typed question is answered aloud in the provider's order of events", "[simulator]") {
  Client client;
  REQUIRE(client.types() == Types{"session.created"});
  client.type("First?");
  client.respond();
  client.wait(60'000);
  const Types shape = without(client.shape(1), "rate_limits.updated");
  const Types head = {"conversation.item.added",
                      "conversation.item.done",
                      "response.created",
                      "response.output_item.added",
                      "conversation.item.added",
                      "response.content_part.added",
                      "response.output_audio_transcript.delta",
                      "response.output_audio.delta"};
  REQUIRE(shape.size() > head.size() + spoken_answer_tail.size());
  CHECK(Types(shape.begin(), shape.begin() + 8) == head);
  CHECK(Types(shape.end() - 6, shape.end()) == spoken_answer_tail);
  CHECK(client.last("response.output_audio_transcript.done")["transcript"] == "You said: First?");
  CHECK(client.joined("response.output_audio_transcript.delta") == "You said: First?");
  const Json response = client.last("response.done")["response"];
  CHECK(response["status"] == "completed");
  CHECK(response["output"][0]["content"][0]["transcript"] == "You said: First?");
  CHECK(response["usage"]["output_token_details"]["audio_tokens"] > 0);
}

TEST_CASE("the second item's done event lies about its place, as the provider's does",
          "[P4][simulator]") {
  Client client;
  client.type("First?");
  client.respond();
  client.wait(60'000);
  client.type("Second?");
  client.respond();
  client.wait(60'000);
  const auto added = client.all("conversation.item.added");
  const auto done = client.all("conversation.item.done");
  REQUIRE(added.size() == 4);
  REQUIRE(done.size() == 4);
  CHECK(added[0]["previous_item_id"].is_null());
  for (std::size_t i = 1; i < 4; ++i) {
    CHECK(added[i]["previous_item_id"] == added[i - 1]["item"]["id"]);
    CHECK(done[i]["item"]["id"] == added[i]["item"]["id"]);
  }
  CHECK(done[1]["previous_item_id"].is_null());
  CHECK(done[2]["previous_item_id"] == added[2]["previous_item_id"]);
  CHECK(done[3]["previous_item_id"] == added[3]["previous_item_id"]);
}

TEST_CASE("spoken turns are heard, answered and transcribed", "[P4][simulator]") {
  Client client;
  client.transcribe();
  for (int turn = 0; turn < 3; ++turn) {
    client.pause(500);
    client.say(4'000);
    client.pause(30'000);
  }
  const Types shape = client.shape(2);
  const Types head = {"input_audio_buffer.speech_started",
                      "conversation.item.input_audio_transcription.delta",
                      "input_audio_buffer.speech_stopped",
                      "input_audio_buffer.committed",
                      "conversation.item.added",
                      "conversation.item.done",
                      "response.created"};
  REQUIRE(shape.size() > head.size());
  CHECK(Types(shape.begin(), shape.begin() + 7) == head);

  const Json started = client.all("input_audio_buffer.speech_started")[0];
  const Json stopped = client.all("input_audio_buffer.speech_stopped")[0];
  CHECK(started["audio_start_ms"] == 200);  // 500 ms of silence minus 300 of padding
  CHECK(stopped["audio_end_ms"] == 4'700);  // and 200 of silence after it
  CHECK(started["item_id"] == stopped["item_id"]);

  const auto words = client.all("conversation.item.input_audio_transcription.completed");
  REQUIRE(words.size() == 3);
  CHECK(words[1]["transcript"] == "Let me say something in utterance 2, about four seconds long.");
  CHECK(words[1]["usage"]["type"] == "duration");

  const auto transcript = transcript_of(client);
  CHECK(transcript.complete);
  REQUIRE(transcript.turns.size() == 6);
  std::set<std::string> texts;
  for (std::size_t i = 0; i < 6; ++i) {
    const transcript::Turn& turn = transcript.turns[i];
    CHECK(turn.role == (i % 2 == 0 ? transcript::Role::user : transcript::Role::assistant));
    CHECK(turn.status == transcript::TurnStatus::completed);
    texts.insert(turn.text.utf8());
  }
  CHECK(texts.size() == 6);
  CHECK(transcript.turns[2].text.utf8() == words[1]["transcript"]);
}

TEST_CASE("the user's deltas begin with a blank that the whole has not", "[simulator]") {
  Client client;
  client.transcribe();
  client.say(2'000);
  client.pause(3'000);
  const std::string sum = client.joined("conversation.item.input_audio_transcription.delta");
  const Json whole = client.last("conversation.item.input_audio_transcription.completed");
  CHECK(sum == " " + whole["transcript"].get<std::string>());
  for (const Json& delta : client.all("conversation.item.input_audio_transcription.delta")) {
    CHECK_FALSE(delta["obfuscation"].get<std::string>().empty());
  }
}

TEST_CASE("whisper-1 sends the whole text at once, after the commit, with a newline",
          "[simulator]") {
  Client client;
  client.transcribe("whisper-1");
  client.say(2'000);
  client.pause(3'000);
  const auto deltas = client.all("conversation.item.input_audio_transcription.delta");
  REQUIRE(deltas.size() == 1);
  const auto whole = client.last("conversation.item.input_audio_transcription.completed");
  CHECK(deltas[0]["delta"] == whole["transcript"]);
  CHECK(whole["transcript"].get<std::string>().back() == '\n');
}

TEST_CASE("without transcription there is no text of speech", "[P13][simulator]") {
  Client client;
  CHECK(client.events[0]["session"]["audio"]["input"]["transcription"].is_null());
  client.say(2'000);
  client.pause(10'000);
  for (const std::string& type : client.types()) CHECK(type.find("transcription") == type.npos);
  CHECK(client.all("response.done").size() == 1);
}

TEST_CASE("talking over an answer cancels it, and the heard part is kept", "[P5][simulator]") {
  Client client;
  client.transcribe();
  client.say(1'000);
  client.pause(1'000);
  REQUIRE(client.all("response.done").empty());
  const std::size_t before = client.events.size();
  client.say(400);
  const Types shape = client.shape(before);
  const auto speech = std::find(shape.begin(), shape.end(), "input_audio_buffer.speech_started");
  REQUIRE(shape.end() - speech >= 7);
  CHECK(Types(speech + 1, speech + 7) == spoken_answer_tail);
  const Json response = client.last("response.done")["response"];
  CHECK(response["status"] == "cancelled");
  CHECK(response["status_details"] == Json{{"type", "cancelled"}, {"reason", "turn_detected"}});
  CHECK(response["output"][0]["status"] == "incomplete");

  const std::string item = response["output"][0]["id"];
  client.send({{"type", "conversation.item.truncate"},
               {"item_id", item},
               {"content_index", 0},
               {"audio_end_ms", 700}});
  CHECK(client.last("conversation.item.truncated")["audio_end_ms"] == 700);
  client.pause(30'000);

  const auto transcript = transcript_of(client);
  REQUIRE(transcript.turns.size() == 4);
  const transcript::Turn& cut = transcript.turns[1];
  CHECK(cut.status == transcript::TurnStatus::truncated);
  REQUIRE(cut.heard);
  CHECK(cut.heard->audio_ms == 700);
  CHECK(cut.text.utf8().starts_with(cut.heard->text->utf8()));
  CHECK(cut.heard->text->size_bytes() < cut.text.size_bytes());
  CHECK(transcript.turns[3].status == transcript::TurnStatus::completed);
}

TEST_CASE("an answer that must not be interrupted goes on", "[simulator]") {
  Client client;
  client.update(
      {{"audio",
        {{"input",
          {{"turn_detection", {{"type", "server_vad"}, {"interrupt_response", false}}}}}}}});
  client.say(1'000);
  client.pause(500);
  client.say(500);
  client.pause(300);
  CHECK(client.last("error")["error"]["code"] == "conversation_already_has_active_response");
  client.pause(30'000);
  REQUIRE(client.all("response.done").size() == 1);
  CHECK(client.last("response.done")["response"]["status"] == "completed");
}

TEST_CASE("two utterances in one message are two utterances", "[simulator]") {
  Client client;
  client.transcribe();
  client.send_raw(append_event(tone(1'000) + silence(600) + tone(1'000) + silence(600)));
  CHECK(client.all("input_audio_buffer.speech_started").size() == 2);
  CHECK(client.all("input_audio_buffer.committed").size() == 2);
  client.wait(30'000);
  const auto responses = client.all("response.done");
  REQUIRE(responses.size() == 2);
  CHECK(responses[0]["response"]["status"] == "cancelled");
  CHECK(responses[0]["response"]["output"].empty());
  CHECK(responses[1]["response"]["status"] == "completed");
}

TEST_CASE("silence and a click do not count as speech", "[simulator]") {
  Client client;
  client.microphone(silence(1'000) + tone(40) + silence(1'000) + tone(2'000, 200));
  CHECK(client.types() == Types{"session.created"});
}

TEST_CASE("semantic turn detection ends a turn as well", "[simulator]") {
  Client client;
  client.update({{"audio", {{"input", {{"turn_detection", {{"type", "semantic_vad"}}}}}}}});
  const Json detection = client.last("session.updated")["session"]["audio"]["input"];
  CHECK(detection["turn_detection"]["eagerness"] == "auto");
  client.say(1'000);
  client.pause(400);
  CHECK(client.all("input_audio_buffer.committed").empty());
  client.pause(200);
  CHECK(client.all("input_audio_buffer.committed").size() == 1);
}

TEST_CASE("a text answer has text events only", "[simulator]") {
  Client client;
  client.type("Hello there.");
  client.respond({{"output_modalities", {"text"}}});
  client.wait(30'000);
  const Types shape = without(client.shape(3), "rate_limits.updated");
  CHECK(shape == Types{"response.created", "response.output_item.added", "conversation.item.added",
                       "response.content_part.added", "response.output_text.delta",
                       "response.output_text.done", "response.content_part.done",
                       "conversation.item.done", "response.output_item.done", "response.done"});
  CHECK(client.last("response.output_text.done")["text"] == "You said: Hello there.");
}

TEST_CASE("text is data: white space and other scripts survive the pieces", "[simulator]") {
  Client client("gpt-realtime", {.pace = 0});
  const std::string text = "  two  blanks,\n\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e \xf0\x9f\x98\x80!";
  client.type(text);
  client.respond();
  client.wait(0);
  CHECK(client.joined("response.output_audio_transcript.delta") == "You said: " + text);
}

TEST_CASE("the same seed gives the same words, another seed others", "[simulator]") {
  const auto answer = [](std::uint64_t seed) {
    Client client("gpt-realtime", {.pace = 0, .seed = seed});
    client.respond();
    client.wait(0);
    return client.joined("response.output_audio_transcript.delta");
  };
  CHECK(answer(1) == answer(1));
  CHECK(answer(1) != answer(2));
}

TEST_CASE("every event has an id of its own", "[simulator]") {
  Client client("gpt-realtime", {.pace = 0});
  client.transcribe();
  for (int turn = 0; turn < 5; ++turn) {
    client.say(1'000);
    client.pause(500);
  }
  std::set<std::string> ids;
  for (const Json& event : client.events) ids.insert(event["event_id"].get<std::string>());
  CHECK(ids.size() == client.events.size());
  CHECK(ids.begin()->size() == std::string("event_").size() + 21);
}

TEST_CASE("at the provider's pace an answer takes a fifth of its length, at none no time",
          "[simulator]") {
  Client client;
  client.respond();
  const std::int64_t begin = client.now;
  for (int i = 0; i < 1000 && client.all("response.done").empty(); ++i) client.wait(10);
  std::size_t bytes = 0;
  for (const Json& delta : client.all("response.output_audio.delta")) {
    bytes += decoded(delta["delta"]).size();
  }
  const auto length_ms = static_cast<std::int64_t>(bytes / 48);
  CHECK(client.now - begin >= length_ms / 5);
  CHECK(client.now - begin <= length_ms / 5 + 500);

  Client fast("gpt-realtime", {.pace = 0});
  fast.respond();
  CHECK(fast.all("response.done").size() == 1);
  CHECK(fast.all("response.output_audio_transcript.done")[0]["transcript"] ==
        client.all("response.output_audio_transcript.done")[0]["transcript"]);
}

}  // namespace verbatim::simulator::test
