// Events that a session relays, holds back, answers itself and adds.
#include "tests/session/options.hpp"
#include "tests/session/stage.hpp"

using namespace verbatim;
using namespace verbatim::session;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

TEST_CASE("a delta is not sent before it is journaled", "[P1][session]") {
  Stage stage;
  stage.open();
  stage.provider(first_delta);
  REQUIRE(stage.drain_client().empty());
  stage.journal.sync();
  REQUIRE(stage.drain_client() == std::vector<std::string>{first_delta});
}

TEST_CASE("typed text is not sent on before it is journaled", "[P1][session]") {
  Stage stage;
  stage.open();
  stage.client(typed_item);
  REQUIRE(stage.drain_upstream().empty());
  stage.journal.sync();
  REQUIRE(stage.drain_upstream() == std::vector<std::string>{typed_item});
}

TEST_CASE("audio behind a delta keeps its place, audio alone waits for nothing",
          "[P1][P9][session]") {
  Stage stage;
  stage.open();
  stage.provider(audio_delta);
  REQUIRE(stage.drain_client() == std::vector<std::string>{audio_delta});
  stage.provider(first_delta);
  stage.provider(audio_delta);
  REQUIRE(stage.drain_client().empty());
  stage.journal.sync();
  REQUIRE(stage.drain_client() == std::vector<std::string>{first_delta, audio_delta});
}

TEST_CASE("audio is neither journaled nor changed", "[P9][P12][session]") {
  Stage stage;
  stage.open();
  const auto rows = stage.journal.rows.size();
  const std::string append = R"({ "type" : "input_audio_buffer.append", "audio":"AAAA" })";
  stage.client(append);
  stage.provider(audio_delta);
  REQUIRE(stage.journal.rows.size() == rows);
  REQUIRE(stage.drain_upstream() == std::vector<std::string>{append});
}

TEST_CASE("events the relay does not know pass byte for byte", "[P9][session]") {
  Stage stage;
  stage.open();
  const std::string odd = R"({"zzz":1, "type":"vendor.future_event"  })";
  stage.provider(odd);
  REQUIRE(stage.drain_client() == std::vector<std::string>{odd});
}

TEST_CASE("client messages before the upstream connection exists are held", "[P9][session]") {
  Stage stage;
  stage.client(R"({"type":"session.update","session":{"type":"realtime"}})");
  stage.client(R"({"type":"response.create"})");
  stage.session.upstream_opened(stage.dial(), stage.clock);
  REQUIRE(stage.drain_upstream().size() == 2);
}

TEST_CASE("the token's configuration is sent before any client message", "[session]") {
  SessionOptions options = usual_options();
  options.session_config_json = R"({"instructions":"Be brief."})";
  Stage stage(options);
  stage.client(R"({"type":"response.create"})");
  stage.session.upstream_opened(stage.dial(), stage.clock);
  const auto sent = stage.drain_upstream();
  REQUIRE(sent.size() == 2);
  const Json update = Json::parse(sent[0]);
  REQUIRE(update["type"] == "session.update");
  REQUIRE(update["session"]["instructions"] == "Be brief.");
  REQUIRE(update["session"]["type"] == "realtime");
  REQUIRE(update["session"]["audio"]["input"]["transcription"]["model"] ==
          "gpt-4o-mini-transcribe");
}

TEST_CASE("input transcription is switched on where neither client nor token did", "[session]") {
  Stage stage;
  stage.session.upstream_opened(stage.dial(), stage.clock);
  stage.provider(created_without_transcription);
  const Json update = only(stage.drain_upstream());
  REQUIRE(update["type"] == "session.update");
  REQUIRE(update["session"]["audio"]["input"]["transcription"]["model"] ==
          "gpt-4o-mini-transcribe");
  REQUIRE_FALSE(update["session"].contains("instructions"));
}

TEST_CASE("a client's own choice of transcription is not overridden", "[P9][session]") {
  Stage stage;
  stage.client(R"({"type":"session.update","session":{"audio":{"input":{"transcription":{}}}}})");
  stage.session.upstream_opened(stage.dial(), stage.clock);
  stage.provider(created_without_transcription);
  stage.provider(updated_with_transcription);
  REQUIRE(stage.drain_upstream().size() == 1);
}

TEST_CASE("a client that switches transcription off gets it switched on again", "[session]") {
  Stage stage;
  stage.open();
  stage.client(R"({"type":"session.update","session":{"audio":{"input":{"transcription":null}}}})");
  stage.provider(R"({"type":"session.updated","event_id":"e3","session":{"type":"realtime",)"
                 R"("audio":{"input":{"transcription":null}}}})");
  REQUIRE(stage.drain_upstream().size() == 2);
}

TEST_CASE("a provider that refuses to transcribe is asked once, not for ever", "[P11][session]") {
  Stage stage;
  stage.session.upstream_opened(stage.dial(), stage.clock);
  stage.provider(created_without_transcription);
  for (int i = 0; i < 5; ++i) {
    stage.provider(
        R"({"type":"session.updated","session":{"audio":{"input":{"transcription":null}}}})");
  }
  REQUIRE(stage.drain_upstream().size() == 1);
}

TEST_CASE("bad input from a client is answered, not forwarded, and the session goes on",
          "[P11][session]") {
  Stage stage;
  stage.open();
  for (const char* bad :
       {"{not json", "[1,2]", R"({"no":"type"})", R"({"type":"made.up","event_id":"mine"})",
        R"({"type":"response.create","type":"session.update"})"}) {
    stage.client(bad);
    const Json error = only(stage.drain_client());
    REQUIRE(error["type"] == "error");
    REQUIRE(error["error"]["type"] == "invalid_request_error");
    REQUIRE_FALSE(error["error"]["message"].get<std::string>().empty());
  }
  REQUIRE(stage.drain_upstream().empty());
  REQUIRE_FALSE(stage.session.ended());
  REQUIRE(stage.session.counts().refused_client_messages == 5);
}

TEST_CASE("extension events go only to a client that asked", "[P9][session]") {
  for (const bool asked : {false, true}) {
    Stage stage(usual_options(), asked);
    stage.open();
    stage.provider(speech_committed);
    stage.provider(transcribed);
    REQUIRE(stage.drain_client().empty());  // a turn is sent when it is durable
    stage.journal.sync();
    const auto got = stage.drain_client();
    REQUIRE(got.size() == (asked ? 3 : 2));
    if (!asked) continue;
    const Json turn = Json::parse(got[2]);
    REQUIRE(turn["type"] == "verbatim.turn");
    REQUIRE(turn["item_id"] == "u1");
    REQUIRE(turn["status"] == "completed");
    REQUIRE(turn["ordinal"] == 1);
  }
}

TEST_CASE("a repeated event is passed on but journaled once", "[P9][session]") {
  Stage stage;
  stage.open();
  stage.provider(speech_committed);
  stage.provider(transcribed);
  const auto rows = stage.journal.rows.size();
  stage.provider(transcribed);
  REQUIRE(stage.journal.rows.size() == rows);
  stage.journal.sync();
  REQUIRE(stage.drain_client().size() == 3);
}

TEST_CASE("a truncation is journaled with the audio that was sent", "[P5][session]") {
  Stage stage;
  stage.open();
  stage.provider(first_delta);
  stage.provider(R"({"type":"response.output_audio.delta","event_id":"e13","response_id":"r1",)"
                 R"("item_id":"a1","output_index":0,"content_index":0,"delta":")" +
                 std::string(6400, 'A') + "\"}");
  stage.provider(R"({"type":"conversation.item.truncated","event_id":"e14","item_id":"a1",)"
                 R"("content_index":0,"audio_end_ms":50})");
  const auto* truncated = std::get_if<ItemTruncated>(&stage.journal.rows.back().event.body);
  REQUIRE(truncated);
  REQUIRE(truncated->audio_sent_ms == 100);
}
