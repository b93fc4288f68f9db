// Every way in which a session ends, and the records that it leaves.
#include "tests/session/options.hpp"
#include "tests/session/stage.hpp"
#include "tests/support/memory_spill.hpp"

using namespace verbatim;
using namespace verbatim::session;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

TEST_CASE("reading stops on the fast side when the slow side's queue is full", "[P11][session]") {
  SessionOptions options = usual_options();
  options.client_queue_bytes_max = 2000;
  options.upstream_queue_bytes_max = 2000;
  Stage stage(options);
  stage.open();
  const std::string big =
      R"({"type":"input_audio_buffer.append","audio":")" + std::string(3000, 'A') + "\"}";
  REQUIRE(stage.session.wants_client());
  stage.client(big);
  REQUIRE_FALSE(stage.session.wants_client());
  stage.drain_upstream();
  REQUIRE(stage.session.wants_client());
  stage.provider(big);
  REQUIRE_FALSE(stage.session.wants_upstream());
  stage.drain_client();
  REQUIRE(stage.session.wants_upstream());
}

TEST_CASE("a client that does not read the errors about its own messages is no longer read",
          "[P11][session]") {
  SessionOptions options = usual_options();
  options.client_queue_bytes_max = 2000;
  Stage stage(options);
  stage.open();
  std::size_t most = 0;
  for (int i = 0; i < 1000 && stage.session.wants_client(); ++i) {
    stage.client(R"({"type":"no.such.event"})");
    most = stage.session.to_client().bytes();
  }
  REQUIRE_FALSE(stage.session.wants_client());
  REQUIRE(most < 2 * 2000 + 1000);
  // Before that, it is read even while its queue is full: the client may want to interrupt the
  // answer that fills it.
  REQUIRE_FALSE(stage.session.wants_upstream());
  stage.drain_client();
  REQUIRE(stage.session.wants_client());
  stage.provider(std::string(R"({"type":"response.output_audio.delta","item_id":"a","delta":")") +
                 std::string(2500, 'A') + "\"}");
  REQUIRE_FALSE(stage.session.wants_upstream());
  REQUIRE(stage.session.wants_client());
}

TEST_CASE("a client that never reads is ended as slow, one that reads slowly is not",
          "[P11][session]") {
  SessionOptions options = usual_options();
  options.client_queue_bytes_max = 10;
  options.slow_client_timeout_ms = 1000;
  Stage stage(options);
  stage.open();
  stage.provider(audio_delta);
  stage.provider(audio_delta);
  stage.pass(1);
  stage.pass(999);
  stage.session.take_for_client();  // it took one message: the timeout starts again
  stage.pass(1);
  stage.pass(999);
  REQUIRE_FALSE(stage.session.ended());
  stage.pass(1);
  REQUIRE(stage.session.ended());
  REQUIRE(stage.session.reason() == CloseReason::slow_client);
}

TEST_CASE("a queue that waits for the disk does not make a client a slow one",
          "[P6][P11][session]") {
  SessionOptions options = usual_options();
  options.client_queue_bytes_max = 10;
  options.slow_client_timeout_ms = 1000;
  Stage stage(options);
  stage.open();
  stage.provider(first_delta);
  REQUIRE_FALSE(stage.session.wants_upstream());
  stage.pass(1);
  stage.pass(5000);
  REQUIRE_FALSE(stage.session.ended());
  stage.journal.sync();
  stage.pass(1);
  stage.pass(1000);
  REQUIRE(stage.session.ended());
  REQUIRE(stage.session.reason() == CloseReason::slow_client);
}

TEST_CASE("reading stops on both sides while the journal's queue is more than half full",
          "[P6][P11][session]") {
  Stage stage;
  stage.open();
  stage.journal.crowd = true;
  REQUIRE_FALSE(stage.session.wants_client());
  REQUIRE_FALSE(stage.session.wants_upstream());
  stage.pass(60'000);
  REQUIRE_FALSE(stage.session.ended());
  stage.journal.crowd = false;
  REQUIRE(stage.session.wants_client());
  REQUIRE(stage.session.wants_upstream());
}

TEST_CASE("microphone frames do not count as activity, speech does", "[session]") {
  SessionOptions options = usual_options();
  options.idle_timeout_ms = 10'000;
  Stage stage(options);
  stage.open();
  for (int i = 0; i < 9; ++i) {
    stage.client(R"({"type":"input_audio_buffer.append","audio":"AAAA"})");
    stage.pass(1000);
  }
  stage.provider(speech_started);
  stage.pass(9'000);
  REQUIRE_FALSE(stage.session.ended());
  stage.pass(1'000);
  REQUIRE(stage.session.reason() == CloseReason::idle_timeout);
}

TEST_CASE("a session ends at its longest duration", "[P11][session]") {
  SessionOptions options = usual_options();
  options.max_duration_ms = 60'000;
  options.idle_timeout_ms = 600'000;
  Stage stage(options);
  stage.open();
  REQUIRE(stage.session.next_deadline_ms() == 5'000 + 60'000);
  stage.pass(60'000);
  REQUIRE(stage.session.reason() == CloseReason::max_duration);
}

TEST_CASE("a client that asked for it is warned once before the maximum duration", "[session]") {
  SessionOptions options = usual_options();
  options.max_duration_ms = 100'000;
  options.ending_notice_ms = 60'000;
  Stage stage(options, true);
  stage.open();
  REQUIRE(stage.session.next_deadline_ms() == 5'000 + 40'000);
  stage.pass(40'000);
  const Json ending = only(stage.drain_client());
  REQUIRE(ending["type"] == "verbatim.ending");
  REQUIRE(ending["close_reason"] == "max_duration");
  REQUIRE(ending["in_ms"] == 60'000);
  stage.pass(1'000);
  REQUIRE(stage.drain_client().empty());
}

TEST_CASE("a client that asked for it is notified that the server stops", "[P2][session]") {
  Stage stage(usual_options(), true);
  stage.open();
  stage.session.end(CloseReason::server_shutdown, "", stage.clock);
  const Json ending = only(stage.drain_client());
  REQUIRE(ending["type"] == "verbatim.ending");
  REQUIRE(ending["in_ms"] == 0);
}

TEST_CASE("a provider that accepts and sends nothing is given up", "[P11][session]") {
  SessionOptions options = usual_options();
  options.created_timeout_ms = 500;
  Stage stage(options);
  stage.session.upstream_opened(stage.dial(), stage.clock);
  stage.pass(500);
  REQUIRE(stage.session.reason() == CloseReason::upstream_lost);
}

TEST_CASE("every ending writes one final record with the reason and the turns", "[P2][session]") {
  Stage stage;
  stage.open();
  stage.provider(first_delta);
  stage.session.upstream_gone(stage.upstream, {false, 0, "reset"}, stage.clock);
  stage.session.end(CloseReason::server_shutdown, "", stage.clock);  // the first reason counts
  stage.session.client_gone({true, 1000, ""}, stage.clock);
  REQUIRE(stage.journal.endings.size() == 1);
  const Ending& ending = stage.journal.endings.front();
  REQUIRE(ending.reason == CloseReason::upstream_lost);
  REQUIRE(ending.ended_at == stage.clock.wall);
  REQUIRE(ending.transcript.turns.size() == 1);
  REQUIRE(ending.transcript.turns[0].status == TurnStatus::interrupted);
  REQUIRE(ending.transcript.turns[0].text.utf8() == "Hello");
  REQUIRE_FALSE(ending.transcript.complete);
}

TEST_CASE("links may close only when the final record is durable", "[P2][session]") {
  Stage stage;
  stage.open();
  stage.session.end(CloseReason::server_shutdown, "", stage.clock);
  REQUIRE_FALSE(stage.session.settled());
  stage.journal.sync();
  REQUIRE(stage.session.settled());
}

TEST_CASE("after a client leaves, the session waits for the transcription of its last speech",
          "[P2][U1][session]") {
  Stage stage;
  stage.open();
  stage.provider(speech_started);
  stage.provider(speech_committed);
  stage.session.client_gone({true, 1000, ""}, stage.clock);
  REQUIRE_FALSE(stage.session.ended());
  stage.provider(transcribed);
  REQUIRE(stage.session.ended());
  REQUIRE(stage.session.reason() == CloseReason::client_closed);
  REQUIRE(stage.journal.endings.at(0).transcript.turns.at(0).text.utf8() == "Goodbye.");
  REQUIRE(stage.session.outcome().complete);
}

TEST_CASE("speech of a client that leaves in mid-speech is committed and transcribed",
          "[P2][U1][session]") {
  Stage stage;
  stage.open();
  stage.provider(speech_started);
  stage.session.client_gone({false, 0, "reset"}, stage.clock);
  REQUIRE_FALSE(stage.session.ended());
  REQUIRE(only(stage.drain_upstream())["type"] == "input_audio_buffer.commit");
  stage.provider(speech_committed);
  REQUIRE_FALSE(stage.session.ended());
  stage.provider(transcribed);
  REQUIRE(stage.session.reason() == CloseReason::client_lost);
}

TEST_CASE("the wait for a transcription is bounded", "[P11][session]") {
  SessionOptions options = usual_options();
  options.transcription_grace_ms = 2'000;
  Stage stage(options);
  stage.open();
  stage.provider(speech_started);
  stage.provider(speech_committed);
  stage.session.client_gone({true, 1000, ""}, stage.clock);
  REQUIRE(stage.session.next_deadline_ms() == stage.clock.mono_ms + 2'000);
  stage.pass(2'000);
  REQUIRE(stage.session.reason() == CloseReason::client_closed);
  REQUIRE(stage.journal.endings.at(0).transcript.turns.at(0).status == TurnStatus::interrupted);
}

TEST_CASE("after a wait for a transcription, the peer that left first gives the reason",
          "[P2][session]") {
  const auto reason = [](auto strike) {
    Stage stage;
    stage.open();
    stage.provider(speech_started);
    stage.provider(speech_committed);
    stage.session.client_gone({true, 1000, ""}, stage.clock);
    REQUIRE_FALSE(stage.session.ended());
    strike(stage);
    REQUIRE(stage.journal.endings.size() == 1);
    return stage.session.reason();
  };
  REQUIRE(reason([](Stage& stage) {
            stage.session.end(CloseReason::server_shutdown, "", stage.clock);
          }) == CloseReason::client_closed);
  REQUIRE(reason([](Stage& stage) { stage.session.end(CloseReason::replaced, "", stage.clock); }) ==
          CloseReason::client_closed);
  REQUIRE(reason([](Stage& stage) {
            stage.session.upstream_gone(stage.upstream, {}, stage.clock);
          }) == CloseReason::client_closed);
  REQUIRE(reason([](Stage& stage) {
            stage.session.upstream_unavailable(stage.upstream, CloseReason::upstream_lost, "",
                                               stage.clock);
          }) == CloseReason::client_closed);
  REQUIRE(reason([](Stage& stage) { stage.session.journal_failed(stage.clock); }) ==
          CloseReason::client_closed);
}

TEST_CASE("a client that leaves while nothing is open ends the session at once", "[P2][session]") {
  Stage stage;
  stage.open();
  stage.session.client_gone({true, 1000, ""}, stage.clock);
  REQUIRE(stage.session.ended());
}

TEST_CASE("how the provider went decides the reason", "[P2][session]") {
  const auto reason = [](const char* said, LinkEnd end) {
    Stage stage;
    stage.open();
    if (said) stage.provider(said);
    stage.session.upstream_gone(stage.upstream, end, stage.clock);
    return stage.session.reason();
  };
  const char* expired =
      R"({"type":"error","error":{"type":"invalid_request_error","code":"session_expired",)"
      R"("message":"Your session hit the maximum duration of 60 minutes."}})";
  const char* harmless = R"({"type":"error","error":{"type":"invalid_request_error",)"
                         R"("code":"response_cancel_not_active","message":"x"}})";
  REQUIRE(reason(nullptr, {true, 1000, ""}) == CloseReason::upstream_closed);
  REQUIRE(reason(nullptr, {false, 0, "reset"}) == CloseReason::upstream_lost);
  REQUIRE(reason(nullptr, {true, 4000, "invalid_request_error.invalid_model"}) ==
          CloseReason::upstream_error);
  REQUIRE(reason(nullptr, {true, 1011, "internal"}) == CloseReason::upstream_error);
  REQUIRE(reason(nullptr, {true, 1001, "Your session hit the maximum duration of 60 minutes."}) ==
          CloseReason::session_expired);
  REQUIRE(reason(expired, {false, 0, ""}) == CloseReason::session_expired);
  REQUIRE(reason(harmless, {false, 0, ""}) == CloseReason::upstream_lost);
}

TEST_CASE("a harmless provider error ends nothing", "[session]") {
  Stage stage;
  stage.open();
  stage.provider(R"({"type":"error","error":{"type":"invalid_request_error",)"
                 R"("code":"response_cancel_not_active","message":"x"}})");
  REQUIRE_FALSE(stage.session.ended());
}

TEST_CASE("a client gets the reason why the provider is unreachable", "[session]") {
  Stage stage;
  stage.session.upstream_unavailable(stage.dial(), CloseReason::upstream_error,
                                     "the provider answered 401: no such key", stage.clock);
  stage.journal.sync();
  const Json error = only(stage.drain_client());
  REQUIRE(error["error"]["code"] == "upstream_error");
  REQUIRE(error["error"]["message"] == "the provider answered 401: no such key");
  REQUIRE(close_code(stage.session.reason()) == 1011);
}

TEST_CASE("a journal that refuses ends the session and nothing unsaved leaves", "[P6][session]") {
  Stage stage;
  stage.open();
  stage.provider(first_delta);
  stage.journal.refuses = true;
  stage.provider(
      R"({"type":"response.output_audio_transcript.delta","event_id":"e12","response_id":"r1",)"
      R"("item_id":"a1","output_index":0,"content_index":0,"delta":" there"})");
  REQUIRE(stage.session.reason() == CloseReason::storage_failure);
  stage.journal.broken = true;
  stage.session.journal_failed(stage.clock);
  REQUIRE(stage.session.settled());
  const Json error = only(stage.drain_client());
  REQUIRE(error["error"]["code"] == "storage_failure");
}

TEST_CASE("after a later failure of the journal, unsynced text is not sent", "[P1][P6]") {
  Stage stage;
  stage.open();
  stage.provider(first_delta);
  stage.provider(audio_delta);
  stage.journal.broken = true;
  stage.session.journal_failed(stage.clock);
  const Json error = only(stage.drain_client());
  REQUIRE(error["error"]["code"] == "storage_failure");
}

TEST_CASE("an end that the journal does not take is not announced as kept", "[P1][P6][session]") {
  const bool refuses = GENERATE(true, false);
  Stage stage(usual_options(), true);
  stage.open();
  stage.journal.sync();
  stage.drain_client();
  stage.journal.refuses = refuses;
  stage.journal.broken = !refuses;
  stage.session.end(CloseReason::slow_client, "the client does not read", stage.clock);
  REQUIRE(stage.session.to_client().empty());
  REQUIRE_FALSE(stage.session.kept());
}

TEST_CASE("an end is kept when its record is durable, and not before", "[P1][P2][session]") {
  Stage stage;
  stage.open();
  stage.session.end(CloseReason::client_ended, "", stage.clock);
  REQUIRE_FALSE(stage.session.kept());
  stage.journal.broken = true;
  REQUIRE(stage.session.settled());
  REQUIRE_FALSE(stage.session.kept());
  stage.journal.sync();
  REQUIRE(stage.session.kept());
}

TEST_CASE("an ending held by disk trouble does not delay the client's close", "[P2][P6]") {
  Stage stage(usual_options(), true);
  stage.open();
  stage.provider(first_delta);
  stage.journal.broken = true;  // the journal still accepts rows
  stage.session.journal_failed(stage.clock);
  const Json error = only(stage.drain_client());
  REQUIRE(error["error"]["code"] == "storage_failure");
  REQUIRE(stage.session.to_client().empty());
  REQUIRE(stage.session.settled());
  REQUIRE(stage.journal.endings.size() == 1);
}

TEST_CASE("verbatim.end finalises and is answered once that is durable", "[session]") {
  Stage stage(usual_options(), true);
  stage.open();
  stage.client(R"({"type":"verbatim.end"})");
  REQUIRE(stage.session.reason() == CloseReason::client_ended);
  REQUIRE(stage.drain_client().empty());
  stage.journal.sync();
  const Json ended = only(stage.drain_client());
  REQUIRE(ended["type"] == "verbatim.ended");
  REQUIRE(ended["close_reason"] == "client_ended");
}

TEST_CASE("an end that found no memory has not been one: the next is kept", "[P2][session]") {
  Stage stage;
  stage.open();
  stage.provider(first_delta);
  stage.journal.starves = true;
  REQUIRE_THROWS_AS(stage.session.end(CloseReason::client_lost, "gone", {}), std::bad_alloc);
  REQUIRE_FALSE(stage.session.ended());
  REQUIRE_FALSE(stage.session.settled());
  stage.session.end(CloseReason::upstream_error, "internal error", {});
  REQUIRE(stage.journal.endings.size() == 1);
  REQUIRE(stage.journal.endings[0].reason == CloseReason::upstream_error);
  REQUIRE(stage.journal.endings[0].transcript.turns.size() == 1);
}

TEST_CASE("a session whose spill fails ends, and its journal stays open for the next start",
          "[P1][P2][spill]") {
  const auto control = std::make_shared<MemorySpill::Control>();
  Stage stage;
  stage.session.spill_to(std::make_unique<MemorySpill>(control), 1);
  stage.open();
  for (int n = 0; n < 5; ++n) {
    stage.provider(R"({"type":"conversation.item.added","event_id":"i)" + std::to_string(n) +
                   R"(","item":{"id":"item_)" + std::to_string(n) +
                   R"(","type":"message","role":"user","status":"completed",)"
                   R"("content":[{"type":"input_text","text":"Hi."}]}})");
  }
  stage.journal.sync();
  stage.drain_client();
  REQUIRE(control->records.size() == 4);
  control->fails = true;
  stage.session.end(CloseReason::client_ended, "the client asked for it", stage.clock);
  CHECK(stage.session.reason() == CloseReason::storage_failure);
  CHECK(stage.session.settled());
  CHECK_FALSE(stage.session.kept());
  CHECK(stage.journal.endings.empty());
  const auto received = only(stage.drain_client());
  CHECK(received["error"]["code"] == "storage_failure");
}
