// The session's state machine, stepped by hand: a journal whose watermark the test moves, a clock
// that the test sets.
#include "session/realtime_session.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "session/protocol.hpp"
#include "tests/support/memory_journal.hpp"

using namespace verbatim::session;
using nlohmann::json;
using verbatim::test::MemoryJournal;

namespace {

constexpr const char* created_without_transcription =
    R"({"type":"session.created","event_id":"e1","session":{"type":"realtime","id":"sess_p",)"
    R"("audio":{"input":{"transcription":null}}}})";
constexpr const char* updated_with_transcription =
    R"({"type":"session.updated","event_id":"e2","session":{"type":"realtime","id":"sess_p",)"
    R"("audio":{"input":{"transcription":{"model":"whisper-1"}}}}})";
constexpr const char* first_delta =
    R"({"type":"response.output_audio_transcript.delta","event_id":"e10","response_id":"r1",)"
    R"("item_id":"a1","output_index":0,"content_index":0,"delta":"Hello"})";
constexpr const char* audio_delta =
    R"({"type":"response.output_audio.delta","event_id":"e11","response_id":"r1","item_id":"a1",)"
    R"("output_index":0,"content_index":0,"delta":"AAAA"})";
constexpr const char* typed_item =
    R"({"type":"conversation.item.create","item":{"type":"message","role":"user",)"
    R"("content":[{"type":"input_text","text":"Hi."}]}})";
constexpr const char* speech_started =
    R"({"type":"input_audio_buffer.speech_started","event_id":"e20","item_id":"u1",)"
    R"("audio_start_ms":0})";
constexpr const char* committed =
    R"({"type":"input_audio_buffer.committed","event_id":"e21","item_id":"u1",)"
    R"("previous_item_id":null})";
constexpr const char* transcribed =
    R"({"type":"conversation.item.input_audio_transcription.completed","event_id":"e22",)"
    R"("item_id":"u1","content_index":0,"transcript":"Goodbye."})";

/// A session with both peers as the test plays them.
struct Stage {
  explicit Stage(SessionOptions given = {}, bool extension_events = false)
      : session({"sess_t", 7, 1, extension_events}, std::move(given), journal, clock) {}

  void client(std::string bytes) { session.client_said({std::move(bytes), 1, {}}, clock); }
  void provider(std::string bytes) { session.upstream_said({std::move(bytes), 1, {}}, clock); }
  void open() {
    session.upstream_opened(clock);
    provider(created_without_transcription);
    provider(updated_with_transcription);
    journal.sync();
    drain(session.to_client());
    drain(session.to_upstream());
  }
  void pass(std::int64_t ms) {
    clock.mono_ms += ms;
    clock.wall += ms;
    session.time_passed(clock);
  }
  /// What may leave now.
  std::vector<std::string> drain(Outbox& outbox) {
    std::vector<std::string> out;
    while (outbox.ready(journal.synced)) out.push_back(outbox.take().bytes);
    return out;
  }

  MemoryJournal journal;
  Moment clock{1'000'000, 5'000};
  RealtimeSession session;
};

json only(const std::vector<std::string>& messages) {
  REQUIRE(messages.size() == 1);
  return json::parse(messages.front());
}

}  // namespace

TEST_CASE("a delta is not sent before it is journaled", "[P1][session]") {
  Stage stage;
  stage.open();
  stage.provider(first_delta);
  REQUIRE(stage.drain(stage.session.to_client()).empty());
  stage.journal.sync();
  REQUIRE(stage.drain(stage.session.to_client()) == std::vector<std::string>{first_delta});
}

TEST_CASE("what a client types is not sent on before it is journaled", "[P1][session]") {
  Stage stage;
  stage.open();
  stage.client(typed_item);
  REQUIRE(stage.drain(stage.session.to_upstream()).empty());
  stage.journal.sync();
  REQUIRE(stage.drain(stage.session.to_upstream()) == std::vector<std::string>{typed_item});
}

TEST_CASE("audio behind a delta keeps its place, audio alone waits for nothing",
          "[P1][P9][session]") {
  Stage stage;
  stage.open();
  stage.provider(audio_delta);
  REQUIRE(stage.drain(stage.session.to_client()) == std::vector<std::string>{audio_delta});
  stage.provider(first_delta);
  stage.provider(audio_delta);
  REQUIRE(stage.drain(stage.session.to_client()).empty());
  stage.journal.sync();
  REQUIRE(stage.drain(stage.session.to_client()) ==
          std::vector<std::string>{first_delta, audio_delta});
}

TEST_CASE("audio is neither journaled nor changed", "[P9][P12][session]") {
  Stage stage;
  stage.open();
  const auto rows = stage.journal.rows.size();
  const std::string append = R"({ "type" : "input_audio_buffer.append", "audio":"AAAA" })";
  stage.client(append);
  stage.provider(audio_delta);
  REQUIRE(stage.journal.rows.size() == rows);
  REQUIRE(stage.drain(stage.session.to_upstream()) == std::vector<std::string>{append});
}

TEST_CASE("events the relay does not know pass byte for byte", "[P9][session]") {
  Stage stage;
  stage.open();
  const std::string odd = R"({"zzz":1, "type":"vendor.future_event"  })";
  stage.provider(odd);
  REQUIRE(stage.drain(stage.session.to_client()) == std::vector<std::string>{odd});
}

TEST_CASE("what the client says before the provider is there is held", "[D11][P9][session]") {
  Stage stage;
  stage.client(R"({"type":"session.update","session":{"type":"realtime"}})");
  stage.client(R"({"type":"response.create"})");
  stage.session.upstream_opened(stage.clock);
  REQUIRE(stage.drain(stage.session.to_upstream()).size() == 2);
}

TEST_CASE("the token's configuration goes before anything the client said", "[session]") {
  SessionOptions options;
  options.session_config_json = R"({"instructions":"Be brief."})";
  Stage stage(options);
  stage.client(R"({"type":"response.create"})");
  stage.session.upstream_opened(stage.clock);
  const auto sent = stage.drain(stage.session.to_upstream());
  REQUIRE(sent.size() == 2);
  const json update = json::parse(sent[0]);
  REQUIRE(update["type"] == "session.update");
  REQUIRE(update["session"]["instructions"] == "Be brief.");
  REQUIRE(update["session"]["type"] == "realtime");
  REQUIRE(update["session"]["audio"]["input"]["transcription"]["model"] ==
          "gpt-4o-mini-transcribe");
}

TEST_CASE("input transcription is switched on where nobody did", "[session]") {
  Stage stage;
  stage.session.upstream_opened(stage.clock);
  stage.provider(created_without_transcription);
  const json update = only(stage.drain(stage.session.to_upstream()));
  REQUIRE(update["type"] == "session.update");
  REQUIRE(update["session"]["audio"]["input"]["transcription"]["model"] ==
          "gpt-4o-mini-transcribe");
  REQUIRE_FALSE(update["session"].contains("instructions"));
}

TEST_CASE("a client's own choice of transcription is not overridden", "[P9][session]") {
  Stage stage;
  stage.client(R"({"type":"session.update","session":{"audio":{"input":{"transcription":{}}}}})");
  stage.session.upstream_opened(stage.clock);
  stage.provider(created_without_transcription);
  stage.provider(updated_with_transcription);
  REQUIRE(stage.drain(stage.session.to_upstream()).size() == 1);
}

TEST_CASE("a client that switches transcription off gets it switched on again", "[session]") {
  Stage stage;
  stage.open();
  stage.client(R"({"type":"session.update","session":{"audio":{"input":{"transcription":null}}}})");
  stage.provider(R"({"type":"session.updated","event_id":"e3","session":{"type":"realtime",)"
                 R"("audio":{"input":{"transcription":null}}}})");
  REQUIRE(stage.drain(stage.session.to_upstream()).size() == 2);
}

TEST_CASE("a provider that refuses to transcribe is asked once, not for ever", "[P11][session]") {
  Stage stage;
  stage.session.upstream_opened(stage.clock);
  stage.provider(created_without_transcription);
  for (int i = 0; i < 5; ++i) {
    stage.provider(
        R"({"type":"session.updated","session":{"audio":{"input":{"transcription":null}}}})");
  }
  REQUIRE(stage.drain(stage.session.to_upstream()).size() == 1);
}

TEST_CASE("bad input from a client is answered, not forwarded, and the session goes on",
          "[P11][session]") {
  Stage stage;
  stage.open();
  for (const char* bad :
       {"{not json", "[1,2]", R"({"no":"type"})", R"({"type":"made.up","event_id":"mine"})",
        R"({"type":"response.create","type":"session.update"})"}) {
    stage.client(bad);
    const json error = only(stage.drain(stage.session.to_client()));
    REQUIRE(error["type"] == "error");
    REQUIRE(error["error"]["type"] == "invalid_request_error");
    REQUIRE_FALSE(error["error"]["message"].get<std::string>().empty());
  }
  REQUIRE(stage.drain(stage.session.to_upstream()).empty());
  REQUIRE_FALSE(stage.session.ended());
  REQUIRE(stage.session.refused_client_messages() == 5);
}

TEST_CASE("reading stops on the fast side when the slow side's queue is full",
          "[P11][D12][session]") {
  SessionOptions options;
  options.client_queue_bytes_max = 2000;
  options.upstream_queue_bytes_max = 2000;
  Stage stage(options);
  stage.open();
  const std::string big =
      R"({"type":"input_audio_buffer.append","audio":")" + std::string(3000, 'A') + "\"}";
  REQUIRE(stage.session.wants_client());
  stage.client(big);
  REQUIRE_FALSE(stage.session.wants_client());
  stage.drain(stage.session.to_upstream());
  REQUIRE(stage.session.wants_client());
  stage.provider(big);
  REQUIRE_FALSE(stage.session.wants_upstream());
  stage.drain(stage.session.to_client());
  REQUIRE(stage.session.wants_upstream());
}

TEST_CASE("a client that never reads is ended as slow, one that reads slowly is not",
          "[P11][session]") {
  SessionOptions options;
  options.client_queue_bytes_max = 10;
  options.slow_client_timeout_ms = 1000;
  Stage stage(options);
  stage.open();
  stage.provider(audio_delta);
  stage.provider(audio_delta);
  stage.pass(1);
  stage.pass(999);
  stage.session.to_client().take();  // it took one: the clock starts again
  stage.pass(1);
  stage.pass(999);
  REQUIRE_FALSE(stage.session.ended());
  stage.pass(1);
  REQUIRE(stage.session.ended());
  REQUIRE(stage.session.reason() == CloseReason::slow_client);
}

TEST_CASE("microphone frames do not count as activity, speech does", "[D13][session]") {
  SessionOptions options;
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
  SessionOptions options;
  options.max_duration_ms = 60'000;
  options.idle_timeout_ms = 600'000;
  Stage stage(options);
  stage.open();
  REQUIRE(stage.session.next_deadline_ms() == 5'000 + 60'000);
  stage.pass(60'000);
  REQUIRE(stage.session.reason() == CloseReason::max_duration);
}

TEST_CASE("a client that asked is told once before the longest duration is reached", "[session]") {
  SessionOptions options;
  options.max_duration_ms = 100'000;
  options.ending_notice_ms = 60'000;
  Stage stage(options, true);
  stage.open();
  REQUIRE(stage.session.next_deadline_ms() == 5'000 + 40'000);
  stage.pass(40'000);
  const json ending = only(stage.drain(stage.session.to_client()));
  REQUIRE(ending["type"] == "verbatim.ending");
  REQUIRE(ending["close_reason"] == "max_duration");
  REQUIRE(ending["in_ms"] == 60'000);
  stage.pass(1'000);
  REQUIRE(stage.drain(stage.session.to_client()).empty());
}

TEST_CASE("a client that asked is told that the server goes down", "[P2][session]") {
  Stage stage({}, true);
  stage.open();
  stage.session.end(CloseReason::server_shutdown, "", stage.clock);
  const json ending = only(stage.drain(stage.session.to_client()));
  REQUIRE(ending["type"] == "verbatim.ending");
  REQUIRE(ending["in_ms"] == 0);
}

TEST_CASE("a provider that accepts and says nothing is given up", "[P11][session]") {
  SessionOptions options;
  options.created_timeout_ms = 500;
  Stage stage(options);
  stage.session.upstream_opened(stage.clock);
  stage.pass(500);
  REQUIRE(stage.session.reason() == CloseReason::upstream_lost);
}

TEST_CASE("every ending writes one final record with the reason and the turns", "[P2][session]") {
  Stage stage;
  stage.open();
  stage.provider(first_delta);
  stage.session.upstream_gone({false, 0, "reset"}, stage.clock);
  stage.session.end(CloseReason::server_shutdown, "", stage.clock);  // the first reason wins
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

TEST_CASE("who leaves right after speaking is waited for until the words are there",
          "[P2][U1][session]") {
  Stage stage;
  stage.open();
  stage.provider(speech_started);
  stage.provider(committed);
  stage.session.client_gone({true, 1000, ""}, stage.clock);
  REQUIRE_FALSE(stage.session.ended());
  stage.provider(transcribed);
  REQUIRE(stage.session.ended());
  REQUIRE(stage.session.reason() == CloseReason::client_closed);
  REQUIRE(stage.session.final_transcript().turns.at(0).text.utf8() == "Goodbye.");
  REQUIRE(stage.session.final_transcript().complete);
}

TEST_CASE("who leaves in mid-speech has what was said committed and transcribed",
          "[P2][U1][session]") {
  Stage stage;
  stage.open();
  stage.provider(speech_started);
  stage.session.client_gone({false, 0, "reset"}, stage.clock);
  REQUIRE_FALSE(stage.session.ended());
  REQUIRE(only(stage.drain(stage.session.to_upstream()))["type"] == "input_audio_buffer.commit");
  stage.provider(committed);
  REQUIRE_FALSE(stage.session.ended());
  stage.provider(transcribed);
  REQUIRE(stage.session.reason() == CloseReason::client_lost);
}

TEST_CASE("the wait for a transcription is bounded", "[P11][session]") {
  SessionOptions options;
  options.transcription_grace_ms = 2'000;
  Stage stage(options);
  stage.open();
  stage.provider(speech_started);
  stage.provider(committed);
  stage.session.client_gone({true, 1000, ""}, stage.clock);
  REQUIRE(stage.session.next_deadline_ms() == stage.clock.mono_ms + 2'000);
  stage.pass(2'000);
  REQUIRE(stage.session.reason() == CloseReason::client_closed);
  REQUIRE(stage.session.final_transcript().turns.at(0).status == TurnStatus::interrupted);
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
    stage.session.upstream_gone(end, stage.clock);
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

TEST_CASE("a harmless provider error ends nothing", "[D19][session]") {
  Stage stage;
  stage.open();
  stage.provider(R"({"type":"error","error":{"type":"invalid_request_error",)"
                 R"("code":"response_cancel_not_active","message":"x"}})");
  REQUIRE_FALSE(stage.session.ended());
}

TEST_CASE("an unreachable provider is told to the client with its reason", "[D3][session]") {
  Stage stage;
  stage.session.upstream_unavailable(CloseReason::upstream_error,
                                     "the provider answered 401: no such key", stage.clock);
  stage.journal.sync();
  const json error = only(stage.drain(stage.session.to_client()));
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
  const json error = only(stage.drain(stage.session.to_client()));
  REQUIRE(error["error"]["code"] == "storage_failure");
}

TEST_CASE("a journal that fails later keeps what was not synced from leaving", "[P1][P6]") {
  Stage stage;
  stage.open();
  stage.provider(first_delta);
  stage.provider(audio_delta);
  stage.journal.broken = true;
  stage.session.journal_failed(stage.clock);
  const json error = only(stage.drain(stage.session.to_client()));
  REQUIRE(error["error"]["code"] == "storage_failure");
}

TEST_CASE("verbatim.end finalises and is answered once that is durable", "[session]") {
  Stage stage({}, true);
  stage.open();
  stage.client(R"({"type":"verbatim.end"})");
  REQUIRE(stage.session.reason() == CloseReason::client_ended);
  REQUIRE(stage.drain(stage.session.to_client()).empty());
  stage.journal.sync();
  const json ended = only(stage.drain(stage.session.to_client()));
  REQUIRE(ended["type"] == "verbatim.ended");
  REQUIRE(ended["close_reason"] == "client_ended");
}

TEST_CASE("extension events go only to a client that asked", "[P9][session]") {
  for (const bool asked : {false, true}) {
    Stage stage({}, asked);
    stage.open();
    stage.provider(committed);
    stage.provider(transcribed);
    REQUIRE(stage.drain(stage.session.to_client()).empty());  // a turn is told when it is durable
    stage.journal.sync();
    const auto got = stage.drain(stage.session.to_client());
    REQUIRE(got.size() == (asked ? 3 : 2));
    if (!asked) continue;
    const json turn = json::parse(got[2]);
    REQUIRE(turn["type"] == "verbatim.turn");
    REQUIRE(turn["item_id"] == "u1");
    REQUIRE(turn["status"] == "completed");
    REQUIRE(turn["ordinal"] == 1);
  }
}

TEST_CASE("a repeated event is passed on but journaled once", "[P9][session]") {
  Stage stage;
  stage.open();
  stage.provider(committed);
  stage.provider(transcribed);
  const auto rows = stage.journal.rows.size();
  stage.provider(transcribed);
  REQUIRE(stage.journal.rows.size() == rows);
  stage.journal.sync();
  REQUIRE(stage.drain(stage.session.to_client()).size() == 3);
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
