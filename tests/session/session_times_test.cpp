// The times that a session records when its clock is set back, and the playing time of its answers.
#include <catch2/catch.hpp>

#include "tests/session/options.hpp"
#include "tests/session/rebuild.hpp"

using namespace verbatim;
using namespace verbatim::session;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

TEST_CASE("a session ends no earlier than it began, and than anything in it", "[P2][times]") {
  Stage stage;
  stage.open();
  stage.provider(speech_started);
  stage.pass(2000);
  stage.provider(speech_committed);
  stage.provider(transcribed);
  const TimeMs said = stage.clock.wall;
  stage.clock.wall -= 3'600'000;
  stage.session.end(CloseReason::client_ended, "over", stage.clock);
  const auto& ending = stage.journal.endings.back();
  CHECK(ending.ended_at == said);
  REQUIRE(ending.transcript.turns.size() == 1);
  CHECK(*ending.transcript.turns[0].ended_at <= ending.ended_at);
}

TEST_CASE("nothing in an attempt happens before the attempt began", "[P2][times]") {
  MemoryJournal journal;
  SessionIdentity identity{"sess_t", 7, 1};
  identity.started_at = 9'000'000;
  RealtimeSession session(identity, usual_options(), journal, {1'000'000, 0});
  session.end(CloseReason::client_closed, "", {1'000'001, 1});
  CHECK(journal.endings.back().ended_at == 9'000'000);
}

TEST_CASE(
    "how much audio the last answers had is recorded by the end of each, of its connection, "
    "and of its process",
    "[P7][captions]") {
  SessionOptions options = with_reconnect();
  options.resume_window_ms = 60'000;
  Stage stage(options);
  stage.open();
  converse(stage);
  stage.provider(
      R"({"type":"response.output_audio.delta","event_id":"x1","response_id":"r1","item_id":"a1",)"
      R"("output_index":0,"content_index":0,"delta":")" +
      std::string(64'000, 'A') + "\"}");
  const auto recorded = [&] {
    std::int64_t ms = 0;
    for (const auto& row : stage.journal.rows)
      if (const auto* audio = std::get_if<AnswerAudio>(&row.event.body)) ms = audio->ms;
    return ms;
  };
  CHECK(recorded() == 0);
  SECTION("the response ends") {
    finish_answer(stage);
    CHECK(recorded() == 1000);
  }
  SECTION("the connection is lost") {
    stage.session.upstream_gone(stage.upstream, lost, stage.clock);
    CHECK(recorded() == 1000);
  }
  SECTION("the process ends") {
    stage.session.suspend("a restart", stage.clock);
    REQUIRE(stage.journal.handovers.size() == 1);
    CHECK(recorded() == 1000);
    return;
  }
  SECTION("the session ends") {}
  stage.session.end(CloseReason::client_ended, "over", stage.clock);
  const auto& turns = stage.journal.endings.back().transcript.turns;
  CHECK(turns.back().audio_ms == 1000);
}
