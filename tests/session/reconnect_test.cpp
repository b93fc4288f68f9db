// The upstream connection is lost, and the conversation continues (P8).
#include "tests/session/rebuild.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using namespace verbatim::session;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

TEST_CASE("an answer that the provider's loss cuts off is ended for the client, and kept",
          "[P2][P8][reconnect]") {
  Stage stage(with_reconnect());
  stage.open();
  converse(stage);
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  CHECK_FALSE(stage.session.ended());
  CHECK(stage.drain_client().empty());  // its text must be durable first
  stage.journal.sync();
  const auto received = stage.drain_client();
  CHECK(types(received) == std::vector<std::string>{"response.output_audio.done",
                                                    "response.output_audio_transcript.done",
                                                    "response.content_part.done",
                                                    "conversation.item.done",
                                                    "response.output_item.done", "response.done"});
  CHECK(Json::parse(received[4])["item"]["content"][0]["transcript"] == "Hello");
  CHECK(Json::parse(received[5])["response"]["status"] == "incomplete");
  REQUIRE_FALSE(stage.journal.settled.empty());
  CHECK(stage.journal.settled.back().status == TurnStatus::interrupted);
  CHECK(stage.journal.settled.back().text.utf8() == "Hello");
}

TEST_CASE("the next connection gets the settings and the conversation, the client hears nothing",
          "[P8][reconnect]") {
  Stage stage(with_reconnect());
  stage.open();
  converse(stage);
  finish_answer(stage);
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  stage.pass(200);
  stage.session.upstream_opened(stage.dial(), stage.clock);
  CHECK(stage.drain_upstream().empty());  // the provider must speak first
  stage.provider(created("sess_2"));
  stage.journal.sync();
  const auto sent = stage.drain_upstream();
  REQUIRE(types(sent) == std::vector<std::string>{"session.update", "conversation.item.create",
                                                  "conversation.item.create"});
  const Json update = Json::parse(sent[0])["session"];
  CHECK(update["audio"]["input"]["transcription"]["model"] == "whisper-1");
  CHECK_FALSE(update.contains("id"));
  CHECK_FALSE(update.contains("model"));
  CHECK(Json::parse(sent[1])["item"] ==
        Json::parse(R"({"id":"u0","type":"message","role":"user",)"
                    R"("content":[{"type":"input_text","text":"Hi."}]})"));
  CHECK(Json::parse(sent[2])["item"] ==
        Json::parse(R"({"id":"a1","type":"message","role":"assistant",)"
                    R"("content":[{"type":"output_text","text":"Hello"}]})"));
  stage.journal.sync();
  CHECK(stage.drain_client().empty());
}

TEST_CASE("after a reconnect new events pass byte for byte, and there is one transcript",
          "[P4][P8][P9][reconnect]") {
  Stage stage(with_reconnect());
  stage.open();
  converse(stage);
  finish_answer(stage);
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  reconnect(stage, "sess_2");
  stage.journal.sync();
  CHECK(stage.drain_client().empty());
  const std::string more = added(typed_message("u1", "And now?"), "a1", "n1");
  stage.provider(more);
  stage.journal.sync();
  CHECK(stage.drain_client() == std::vector<std::string>{more});
  stage.session.end(CloseReason::client_ended, "", stage.clock);
  const auto& turns = stage.journal.endings.front().transcript.turns;
  REQUIRE(turns.size() == 3);
  CHECK(turns[0].item_id == "u0");
  CHECK(turns[1].item_id == "a1");
  CHECK(turns[1].status == TurnStatus::completed);
  CHECK(turns[2].item_id == "u1");
  CHECK(stage.journal.endings.front().transcript.complete);
}

TEST_CASE("client messages meanwhile are held, journaled and then sent", "[P1][P8][reconnect]") {
  Stage stage(with_reconnect());
  stage.open();
  converse(stage);
  finish_answer(stage);
  const UpstreamId old = stage.upstream;
  stage.session.upstream_gone(old, lost, stage.clock);
  const std::string append = R"({"type":"input_audio_buffer.append","audio":"AAAA"})";
  stage.client(append);
  stage.client(typed_item);
  CHECK(stage.session.outbox_of(old) == nullptr);
  stage.pass(200);
  stage.session.upstream_opened(stage.dial(), stage.clock);
  stage.provider(created("sess_2"));
  accept_rebuild(stage);  // nothing is durable yet: only the settings were sent
  CHECK(stage.drain_upstream().empty());
  stage.journal.sync();
  accept_rebuild(stage);
  stage.journal.sync();
  CHECK(stage.drain_upstream() == std::vector<std::string>{append, typed_item});
}

TEST_CASE("unanswered requests are sent again on the next connection, once", "[P8][reconnect]") {
  Stage stage(with_reconnect());
  stage.open();
  const std::string item = R"({"type":"conversation.item.create","item":{"id":"mine",)"
                           R"("type":"message","role":"user",)"
                           R"("content":[{"type":"input_text","text":"Hi."}]}})";
  const std::string ask = R"({"type":"response.create"})";
  stage.client(item);
  stage.client(ask);
  stage.journal.sync();
  REQUIRE(stage.drain_upstream().size() == 2);
  SECTION("neither was answered") {
    stage.session.upstream_gone(stage.upstream, lost, stage.clock);
    reconnect(stage, "sess_2");
    stage.journal.sync();
    CHECK(stage.drain_upstream() == std::vector<std::string>{item, ask});
  }
  SECTION("the item had been placed") {
    stage.provider(added(typed_message("mine", "Hi."), nullptr, "c1"));
    stage.session.upstream_gone(stage.upstream, lost, stage.clock);
    reconnect(stage, "sess_2");
    stage.journal.sync();
    CHECK(stage.drain_upstream() == std::vector<std::string>{ask});
  }
  SECTION("both were, and the answer is cut off: it is not asked for behind the client's back") {
    stage.provider(added(typed_message("mine", "Hi."), nullptr, "c1"));
    stage.provider(R"({"type":"response.created","event_id":"c2","response":{"id":"r1"}})");
    stage.session.upstream_gone(stage.upstream, lost, stage.clock);
    reconnect(stage, "sess_2");
    stage.journal.sync();
    CHECK(stage.drain_upstream().empty());
  }
}

TEST_CASE("the memory for unanswered requests is bounded", "[P8][P11][reconnect]") {
  Unanswered unanswered;
  for (const std::size_t size : {std::size_t{100}, std::size_t{1'000'000}}) {
    for (int i = 0; i < 1000; ++i) {
      const std::string bytes =
          R"({"type":"conversation.item.create","x":")" + std::string(size, 'x') + "\"}";
      unanswered.asked(ClientRequest::create_item,
                       std::make_shared<const Message>(Message{bytes, 0, {}}), 0);
      REQUIRE(unanswered.bytes() <= 4 * 1024 * 1024);
    }
  }
}

TEST_CASE("a request that was refused without a name is not taken for one that was answered",
          "[P4][P8][reconnect]") {
  Stage stage(with_reconnect());
  stage.open();
  // A tool's output for a call that the provider lacks: its error names no event.
  const std::string output =
      R"({"type":"conversation.item.create","item":{"type":"function_call_output","call_id":"c","output":"4"}})";
  const auto say = [](const std::string& words) {
    return R"({"type":"conversation.item.create","item":{"type":"message","role":"user","content":)"
           R"([{"type":"input_text","text":")" +
           words + R"("}]}})";
  };
  stage.client(output);
  stage.client(say("Hi."));
  stage.client(say("Ho."));
  stage.journal.sync();
  stage.drain_upstream();
  stage.provider(R"({"type":"error","event_id":"e1","error":{"type":"invalid_request_error"}})");
  stage.provider(added(typed_message("item_1", "Hi."), nullptr, "e2"));
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  reconnect(stage, "sess_2");
  stage.journal.sync();
  const auto sent = stage.drain_upstream();
  CHECK(std::count(sent.begin(), sent.end(), say("Hi.")) == 0);  // it would be there twice
  CHECK(std::count(sent.begin(), sent.end(), say("Ho.")) == 1);
}

TEST_CASE("speech without a begun answer is answered after the loss", "[P8][reconnect]") {
  Stage stage(with_reconnect());
  stage.open();
  stage.provider(
      R"({"type":"session.updated","event_id":"v","session":{"type":"realtime","audio":{"input":)"
      R"({"transcription":{"model":"whisper-1"},"turn_detection":{"type":"server_vad"}}}}})");
  stage.provider(speech_started);
  stage.provider(speech_committed);
  stage.provider(transcribed);
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  reconnect(stage, "sess_2");
  stage.journal.sync();
  const auto sent = types(stage.drain_upstream());
  CHECK(std::count(sent.begin(), sent.end(), "response.create") == 1);
}

TEST_CASE("tries are spaced out, and after the last the first cause is the reason",
          "[P2][P8][reconnect]") {
  Stage stage(with_reconnect());
  stage.open();
  stage.session.upstream_gone(stage.upstream, {true, 1000, "bye"}, stage.clock);
  CHECK_FALSE(stage.session.take_dial(stage.clock));
  for (int i = 0; i < 3; ++i) {
    REQUIRE_FALSE(stage.session.ended());
    stage.pass(2000);
    stage.session.upstream_unavailable(stage.dial(), CloseReason::upstream_lost, "refused",
                                       stage.clock);
  }
  REQUIRE(stage.session.ended());
  CHECK(stage.session.reason() == CloseReason::upstream_closed);
  CHECK(stage.journal.endings.size() == 1);
}

TEST_CASE("a provider that ends every connection soon is not tried for ever", "[P11][reconnect]") {
  Stage stage(with_reconnect());
  stage.open();
  for (int i = 0; i < 20 && !stage.session.ended(); ++i) {
    stage.session.upstream_gone(stage.upstream, lost, stage.clock);
    if (stage.session.ended()) break;
    stage.pass(5000);
    stage.session.upstream_opened(stage.dial(), stage.clock);
    stage.provider(created("sess_" + std::to_string(i)));
    stage.journal.sync();
    accept_rebuild(stage);
  }
  CHECK(stage.session.ended());
  CHECK(stage.session.counts().reconnected <= 4);
}

TEST_CASE("a session that the provider ends by its limit is carried on", "[P8][reconnect]") {
  Stage stage(with_reconnect());
  stage.open();
  stage.provider(R"({"type":"error","event_id":"x","error":{"type":"invalid_request_error",)"
                 R"("code":"session_expired","message":"Your session hit the maximum duration"}})");
  stage.session.upstream_gone(stage.upstream, {true, 1001, "maximum duration"}, stage.clock);
  CHECK_FALSE(stage.session.ended());
  reconnect(stage, "sess_2");
  CHECK(stage.session.counts().reconnected == 1);
}

TEST_CASE("a harmless error of the provider's ends nothing", "[P8][reconnect]") {
  Stage stage(with_reconnect());
  stage.open();
  stage.provider(R"({"type":"error","event_id":"x","error":{"type":"invalid_request_error",)"
                 R"("code":"response_cancel_not_active","message":""}})");
  stage.pass(1000);
  CHECK_FALSE(stage.session.ended());
  CHECK_FALSE(stage.session.take_dial(stage.clock));
}

TEST_CASE("a provider that refuses the settings gets no conversation with other settings",
          "[P8][reconnect]") {
  Stage stage(with_reconnect());
  stage.open();
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  for (int i = 0; i < 3 && !stage.session.ended(); ++i) {
    stage.pass(5000);
    stage.session.upstream_opened(stage.dial(), stage.clock);
    stage.provider(created("sess_" + std::to_string(i)));
    stage.provider(R"({"type":"error","event_id":"x","error":{"type":"invalid_request_error",)"
                   R"("code":"invalid_value","event_id":"verbatim_configure"}})");
  }
  CHECK(stage.session.ended());
}

TEST_CASE("an item that the provider does not take is left out", "[P8][reconnect]") {
  Stage stage(with_reconnect());
  stage.open();
  converse(stage);
  finish_answer(stage);
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  stage.pass(1000);
  stage.session.upstream_opened(stage.dial(), stage.clock);
  stage.provider(created("sess_2"));
  stage.journal.sync();
  const auto sent = stage.drain_upstream();
  REQUIRE(sent.size() == 3);
  stage.provider(updated_with_transcription);
  stage.provider(
      Json{{"type", "error"},
           {"event_id", "x"},
           {"error",
            {{"type", "invalid_request_error"}, {"event_id", Json::parse(sent[1])["event_id"]}}}}
          .dump());
  CHECK(stage.session.counts().reconnected == 0);
  stage.provider(added(Json::parse(sent[2])["item"], nullptr, "echo"));
  CHECK(stage.session.counts().reconnected == 1);
}

TEST_CASE("of an answer that was talked over the new connection gets the heard part",
          "[P5][P8][reconnect]") {
  Stage stage(with_reconnect());
  stage.open();
  converse(stage);
  stage.provider(R"({"type":"response.output_audio.delta","event_id":"a","response_id":"r1",)"
                 R"("item_id":"a1","output_index":0,"content_index":0,"delta":")" +
                 std::string(64'000, 'A') + "\"}");  // one second
  stage.provider(
      R"({"type":"response.output_audio_transcript.done","event_id":"f0","response_id":"r1",)"
      R"("item_id":"a1","output_index":0,"content_index":0,"transcript":"Hello over there"})");
  stage.provider(
      R"({"type":"conversation.item.truncated","event_id":"t","item_id":"a1","content_index":0,)"
      R"("audio_end_ms":700})");
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  stage.pass(1000);
  stage.session.upstream_opened(stage.dial(), stage.clock);
  stage.provider(created("sess_2"));
  stage.journal.sync();
  const auto sent = stage.drain_upstream();
  CHECK(Json::parse(sent.back())["item"]["content"][0]["text"] == "Hello over");
}

TEST_CASE("audio from before the loss that still plays can be truncated by the relay itself",
          "[P5][P8][reconnect]") {
  Stage stage(with_reconnect());
  stage.open();
  converse(stage);
  stage.provider(R"({"type":"response.output_audio.delta","event_id":"a","response_id":"r1",)"
                 R"("item_id":"a1","output_index":0,"content_index":0,"delta":")" +
                 std::string(64'000, 'A') + "\"}");
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  reconnect(stage, "sess_2");
  stage.journal.sync();
  stage.drain_client();
  stage.drain_upstream();
  stage.client(R"({"type":"conversation.item.truncate","item_id":"a1","content_index":0,)"
               R"("audio_end_ms":400})");
  stage.journal.sync();
  const Json received = only(stage.drain_client());
  CHECK(received["type"] == "conversation.item.truncated");
  CHECK(received["audio_end_ms"] == 400);
  CHECK(stage.drain_upstream().empty());
  REQUIRE(stage.journal.settled.back().heard);
  CHECK(stage.journal.settled.back().heard->audio_ms == 400);
}

TEST_CASE("a client that makes its history again is answered, and nothing is there twice",
          "[P8][P9][reconnect]") {
  Stage stage(with_reconnect());
  stage.open();
  converse(stage);
  finish_answer(stage);
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  reconnect(stage, "sess_2");
  stage.drain_upstream();
  stage.client(R"({"type":"conversation.item.create","item":{"id":"u0","type":"message",)"
               R"("role":"user","content":[{"type":"input_text","text":"Hi."}]}})");
  stage.journal.sync();
  CHECK(types(stage.drain_client()) ==
        std::vector<std::string>{"conversation.item.added", "conversation.item.done"});
  CHECK(stage.drain_upstream().empty());
}
