// Sessions that only transcribe speech.
#include "tests/session/rebuild.hpp"

using namespace verbatim;
using namespace verbatim::session;
using namespace verbatim::session::test;

namespace {

SessionOptions transcribing() {
  SessionOptions options = with_reconnect();
  options.transcription = true;
  return options;
}

std::string created_transcription(const std::string& id) {
  return Json{
      {"type", "session.created"},
      {"event_id", "created_" + id},
      {"session",
       {{"type", "transcription"},
        {"object", "realtime.transcription_session"},
        {"id", id},
        {"expires_at", 0},
        {"audio",
         {{"input", {{"transcription", nullptr}, {"turn_detection", {{"type", "server_vad"}}}}}}},
        {"include", nullptr}}}}
      .dump();
}

constexpr const char* asks_for_transcription =
    R"({"type":"session.update","session":{"type":"transcription","audio":{"input":)"
    R"({"transcription":{"model":"whisper-1"}}}}})";

}  // namespace

TEST_CASE("the relay's own events in a transcription session have its type",
          "[P9][transcription]") {
  SessionOptions options = transcribing();
  options.session_config_json =
      R"({"type":"realtime","instructions":"Answer.","tools":[],"include":["x"],)"
      R"("audio":{"output":{"voice":"marin"},"input":{"format":{"type":"audio/pcmu"}}}})";
  Stage stage(options);
  stage.session.upstream_opened(stage.dial(), stage.clock);
  CHECK(stage.session.transcribes());
  CHECK(only(stage.drain_upstream())["session"] ==
        Json::parse(R"({"type":"transcription","include":["x"],"audio":{"input":)"
                    R"({"format":{"type":"audio/pcmu"},)"
                    R"("transcription":{"model":"gpt-4o-mini-transcribe"}}}})"));
  Stage bare(transcribing());
  bare.session.upstream_opened(bare.dial(), bare.clock);
  CHECK(bare.drain_upstream().empty());
  bare.provider(created_transcription("s1"));
  const Json update = only(bare.drain_upstream());
  CHECK(update["session"]["type"] == "transcription");
  CHECK(update["session"]["audio"]["input"]["transcription"]["model"] == "gpt-4o-mini-transcribe");
}

TEST_CASE(
    "another connection of a transcription session gets settings and no items, nor a question",
    "[P8][transcription]") {
  Stage stage(transcribing());
  stage.session.upstream_opened(stage.dial(), stage.clock);
  stage.provider(created_transcription("s1"));
  stage.provider(speech_started);
  stage.provider(speech_committed);
  stage.provider(transcribed);
  stage.journal.sync();
  stage.drain_client();
  stage.drain_upstream();
  stage.session.upstream_gone(stage.upstream, lost, stage.clock);
  stage.pass(10'000);
  stage.session.upstream_opened(stage.dial(), stage.clock);
  stage.provider(created_transcription("s2"));
  const Json update = only(stage.drain_upstream());
  CHECK(update["type"] == "session.update");
  CHECK(update["session"]["type"] == "transcription");
  CHECK_FALSE(update["session"].contains("id"));
  CHECK_FALSE(update["session"].contains("object"));
  stage.provider(Json{{"type", "session.updated"},
                      {"event_id", "u2"},
                      {"session", Json::parse(created_transcription("s2"))["session"]}}
                     .dump());
  stage.journal.sync();
  CHECK(stage.session.counts().reconnected == 1);
  for (const std::string& sent : stage.drain_upstream())
    CHECK(Json::parse(sent)["type"] == "session.update");
}

TEST_CASE("a client without a model may ask for a transcription session with its first update",
          "[P9][transcription]") {
  for (const bool greeted : {true, false}) {
    Stage stage(with_reconnect());
    const UpstreamId first = stage.dial();
    stage.session.upstream_opened(first, stage.clock);
    if (greeted) stage.provider(created_without_transcription);
    stage.client(asks_for_transcription);
    CHECK(stage.session.transcribes());
    CHECK(stage.session.outbox_of(first) == nullptr);
    stage.session.upstream_opened(stage.dial(), stage.clock);
    stage.provider(created_transcription("s2"));
    stage.journal.sync();
    const auto shown = stage.drain_client();
    std::size_t created = 0;
    for (const std::string& one : shown) created += Json::parse(one)["type"] == "session.created";
    INFO((greeted ? "after" : "before") << " session.created");
    CHECK(created == 1);
    const auto sent = stage.drain_upstream();
    REQUIRE(sent.size() == 1);
    CHECK(sent.front() == asks_for_transcription);
    CHECK(stage.session.counts().lost == 0);
  }
}

TEST_CASE("after naming a model, or after another event, a client cannot change the session's type",
          "[P9][transcription]") {
  SessionOptions named = with_reconnect();
  named.model = "gpt-realtime";
  Stage stage(named);
  stage.open();
  stage.client(asks_for_transcription);
  CHECK_FALSE(stage.session.transcribes());
  CHECK(stage.drain_upstream() == std::vector<std::string>{asks_for_transcription});
  Stage talking(with_reconnect());
  talking.open();
  converse(talking);
  talking.client(asks_for_transcription);
  CHECK_FALSE(talking.session.transcribes());
}
