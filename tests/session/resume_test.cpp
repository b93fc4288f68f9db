// A client loses its connection and resumes (P8).
#include "tests/session/options.hpp"
#include "tests/session/rebuild.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using namespace verbatim::session;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

SessionOptions with_window(std::int64_t ms = 30'000) {
  SessionOptions options = usual_options();
  options.resume_window_ms = ms;
  return options;
}

std::string numbered(int n) { return R"({"type":"vendor.message","n":)" + std::to_string(n) + "}"; }

/// A conversation with one typed question and half of its answer.
void chat(Stage& stage) {
  stage.provider(
      R"({"type":"conversation.item.added","event_id":"c1","previous_item_id":null,"item":)"
      R"({"id":"u0","type":"message","role":"user","status":"completed",)"
      R"("content":[{"type":"input_text","text":"Hi."}]}})");
  stage.provider(R"({"type":"response.created","event_id":"c2","response":{"id":"r1"}})");
  stage.provider(R"({"type":"response.output_item.added","event_id":"c3","response_id":"r1",)"
                 R"("output_index":0,"item":{"id":"a1","type":"message","role":"assistant",)"
                 R"("status":"in_progress","content":[]}})");
  stage.provider(
      R"({"type":"conversation.item.added","event_id":"c4","previous_item_id":"u0","item":)"
      R"({"id":"a1","type":"message","role":"assistant","status":"in_progress","content":[]}})");
  stage.provider(first_delta);
  stage.journal.sync();
}

}  // namespace

TEST_CASE("a lost client does not end the conversation before its window is over", "[P8][resume]") {
  Stage stage(with_window());
  stage.open();
  stage.session.client_gone(lost, stage.clock);
  CHECK_FALSE(stage.session.ended());
  CHECK(stage.journal.marks == std::vector{SessionStatus::detached});
  stage.pass(29'999);
  CHECK_FALSE(stage.session.ended());
  stage.pass(1);
  REQUIRE(stage.session.ended());
  CHECK(stage.session.reason() == CloseReason::client_lost);
}

TEST_CASE("a client that closes in good order is done at once; a page that is loaded again is not",
          "[P2][P8][resume]") {
  Stage done(with_window());
  done.open();
  done.session.client_gone({true, 1000, {}}, done.clock);
  CHECK(done.session.ended());
  Stage reloaded(with_window());
  reloaded.open();
  reloaded.session.client_gone({true, 1001, {}}, reloaded.clock);
  CHECK_FALSE(reloaded.session.ended());
  reloaded.pass(30'000);
  REQUIRE(reloaded.session.ended());
  CHECK(reloaded.session.reason() == CloseReason::client_closed);
}

TEST_CASE("a client that resumes by number gets all later messages, once and in order",
          "[P8][resume]") {
  for (int received = 0; received <= 6; ++received) {
    Stage stage(with_window());
    stage.open();
    const auto before = stage.session.to_client().next_number() - 1;
    for (int n = 0; n < 4; ++n) stage.provider(numbered(n));
    stage.drain_client();
    stage.provider(numbered(4));  // on its way when the connection was lost
    stage.session.client_gone(lost, stage.clock);
    stage.provider(numbered(5));
    const auto after = before + static_cast<std::uint64_t>(received);
    stage.session.client_returned({after, false}, stage.clock);
    std::vector<std::string> expected;
    if (received <= 4) {
      for (int n = received; n < 6; ++n) expected.push_back(numbered(n));
      CHECK(stage.drain_client() == expected);
      CHECK(stage.session.counts().resumed_with_snapshot == 0);
    } else {
      // Number 5 was never sent: a client that claims to have it is resynced.
      CHECK(stage.session.counts().resumed_with_snapshot == 1);
    }
  }
}

TEST_CASE("text goes on being journaled while the client is away, and waits for it",
          "[P1][P8][resume]") {
  Stage stage(with_window());
  stage.open();
  const auto after = stage.session.to_client().next_number() - 1;
  stage.session.client_gone(lost, stage.clock);
  const auto rows = stage.journal.rows.size();
  stage.provider(first_delta);
  CHECK(stage.journal.rows.size() == rows + 1);
  stage.session.client_returned({after, false}, stage.clock);
  CHECK(stage.drain_client().empty());  // not yet durable
  stage.journal.sync();
  CHECK(stage.drain_client() == std::vector<std::string>{first_delta});
}

TEST_CASE(
    "the messages kept for a client that is away are bounded, and the oldest are dropped first",
    "[P8][P11][resume]") {
  SessionOptions options = with_window();
  options.resume_buffer_bytes_max = 1000;
  Stage stage(options);
  stage.open();
  const auto after = stage.session.to_client().next_number() - 1;
  stage.session.client_gone(lost, stage.clock);
  for (int n = 0; n < 1000; ++n) {
    stage.provider(numbered(n));
    REQUIRE(stage.session.to_client().bytes() <= 1000);
    REQUIRE(stage.session.wants_upstream());
  }
  CHECK_FALSE(stage.session.to_client().can_resume_after(after));
  CHECK(stage.session.to_client().next_number() > after + 900);
}

TEST_CASE("while a client is connected, a quarter of the buffer keeps sent messages",
          "[P8][P12][resume]") {
  SessionOptions options = with_window();
  options.resume_buffer_bytes_max = 4000;
  const std::string message = numbered(1) + std::string(100 - numbered(1).size(), ' ');
  for (const std::uint64_t missed : {10U, 11U}) {
    Stage stage(options);
    stage.open();
    for (int n = 0; n < 100; ++n) {
      stage.provider(message);
      stage.drain_client();
    }
    const auto sent = stage.session.to_client().next_number() - 1;
    stage.session.client_gone(lost, stage.clock);
    stage.session.client_returned({sent - missed, false}, stage.clock);
    CHECK(stage.session.counts().resumed_with_snapshot == (missed > 10 ? 1 : 0));
    if (missed <= 10) CHECK(stage.drain_client() == std::vector<std::string>(missed, message));
  }
}

TEST_CASE("one message of any size is kept for a client that is away, and for one that was there",
          "[P8][P11][resume]") {
  SessionOptions options = with_window();
  options.resume_buffer_bytes_max = 4000;
  const std::string large = numbered(1) + std::string(1 << 20, ' ');
  for (const bool attached : {true, false}) {
    Stage stage(options);
    stage.open();
    const auto after = stage.session.to_client().next_number() - 1;
    if (!attached) stage.session.client_gone(lost, stage.clock);
    stage.provider(large);
    if (attached) {
      CHECK(stage.drain_client() == std::vector{large});
      stage.session.client_gone(lost, stage.clock);
    }
    stage.session.client_returned({after, false}, stage.clock);
    INFO((attached ? "it was there" : "it was away"));
    CHECK(stage.session.counts().resumed_with_snapshot == 0);
    CHECK(stage.drain_client() == std::vector{large});
  }
}

TEST_CASE("a client whose missed messages are gone is resynced with the items", "[P8][resume]") {
  Stage stage(with_window());
  stage.open();
  chat(stage);
  stage.session.client_gone(lost, stage.clock);
  stage.session.client_returned({77777, false}, stage.clock);
  stage.journal.sync();
  stage.pass(1000);
  const auto received = stage.drain_client();
  CHECK(types(received) ==
        std::vector<std::string>{
            "error", "session.created", "conversation.item.added", "conversation.item.done",
            "conversation.item.added", "response.created", "response.output_item.added",
            "response.content_part.added", "response.output_audio_transcript.delta"});
  CHECK(Json::parse(received[0])["error"]["code"] == "messages_not_kept");
  CHECK(Json::parse(received[2])["item"]["content"][0]["text"] == "Hi.");
  CHECK(Json::parse(received[4])["previous_item_id"] == "u0");
  CHECK(Json::parse(received[8])["delta"] == "Hello");
  CHECK(stage.session.to_client().next_number() == 77778 + received.size());
}

TEST_CASE("a client that does not use resuming gets the session, and the items once it listens",
          "[P8][P9][resume]") {
  Stage stage(with_window());
  stage.open();
  chat(stage);
  stage.session.client_gone(lost, stage.clock);
  stage.session.client_returned({}, stage.clock);
  stage.journal.sync();
  const Json created = only(stage.drain_client());
  CHECK(created["type"] == "session.created");
  CHECK(created["session"]["audio"]["input"]["transcription"]["model"] == "whisper-1");

  SECTION("it speaks") { stage.client(R"({"type":"session.update","session":{}})"); }
  SECTION("it sends nothing for a moment") { stage.pass(100); }
  CHECK(types(stage.drain_client()).front() == "conversation.item.added");
}

TEST_CASE("after a resume an answer's events continue those that the client got", "[P8][resume]") {
  Stage stage(with_window());
  stage.open();
  chat(stage);
  stage.session.client_returned({}, stage.clock);
  stage.provider(
      R"({"type":"response.output_audio_transcript.delta","event_id":"e12","response_id":"r1",)"
      R"("item_id":"a1","output_index":0,"content_index":0,"delta":" there"})");
  stage.journal.sync();
  stage.pass(100);
  std::string words;
  for (const std::string& message : stage.drain_client()) {
    const Json event = Json::parse(message);
    if (event["type"] == "response.output_audio_transcript.delta")
      words += event["delta"].get<std::string>();
  }
  CHECK(words == "Hello there");
}

TEST_CASE("a client that resumes before session.created gets it, once", "[P8][P9][resume]") {
  Stage stage(with_window());
  stage.session.client_gone(lost, stage.clock);
  stage.session.client_returned({}, stage.clock);
  CHECK(stage.drain_client().empty());
  stage.session.upstream_opened(stage.dial(), stage.clock);
  stage.provider(created_without_transcription);
  stage.journal.sync();
  CHECK(stage.drain_client() == std::vector<std::string>{created_without_transcription});
}

TEST_CASE("a client that resumes gets nothing that is not durable", "[P1][P8][resume]") {
  Stage stage(with_window());
  stage.open();
  stage.provider(first_delta);
  stage.session.client_returned({}, stage.clock);
  stage.pass(100);
  CHECK(stage.drain_client().empty());
  stage.journal.sync();
  CHECK_FALSE(stage.drain_client().empty());
}

TEST_CASE("an extension client first gets the event about its resumption, and numbers it too",
          "[P8][resume]") {
  Stage stage(with_window(), true);
  stage.open();
  stage.provider(numbered(1));
  stage.drain_client();
  const auto has = stage.session.to_client().next_number() - 1;
  stage.session.client_gone(lost, stage.clock);
  stage.provider(numbered(2));
  stage.provider(numbered(3));
  stage.session.client_returned({has, true}, stage.clock);
  auto got = stage.drain_client();
  REQUIRE(got.size() == 3);
  const Json received = Json::parse(got[0]);
  CHECK(received["type"] == "verbatim.session");
  CHECK(received["resumed"] == true);
  CHECK(received["replayed"] == true);
  CHECK(received["after"] == has);
  CHECK(got[1] == numbered(2));
  // It has counted two of those three, and lost the connection again.
  stage.session.client_gone(lost, stage.clock);
  stage.session.client_returned({has + 2, true}, stage.clock);
  got = stage.drain_client();
  REQUIRE(got.size() == 2);
  CHECK(got[1] == numbered(3));
}

TEST_CASE("a newer connection takes over without a message lost or doubled", "[P8][resume]") {
  Stage stage(with_window());
  stage.open();
  const auto before = stage.session.to_client().next_number() - 1;
  stage.provider(numbered(1));
  stage.provider(numbered(2));
  stage.session.take_for_client();  // the old connection's writer has taken it
  stage.session.client_returned({before, false}, stage.clock);
  CHECK(stage.drain_client() == std::vector<std::string>{numbered(1), numbered(2)});
  CHECK(stage.journal.marks.empty());  // it was never detached
}

TEST_CASE("speech of a client that vanishes in mid-speech is transcribed", "[P2][P8][resume]") {
  Stage stage(with_window());
  stage.open();
  stage.provider(speech_started);
  stage.session.client_gone(lost, stage.clock);
  CHECK(stage.drain_upstream().empty());
  stage.pass(2'000);
  CHECK(only(stage.drain_upstream())["type"] == "input_audio_buffer.commit");
  stage.pass(1'000);
  CHECK(stage.drain_upstream().empty());
  stage.provider(speech_committed);
  stage.provider(transcribed);
  stage.pass(30'000);
  REQUIRE(stage.session.ended());
  CHECK(stage.journal.endings.front().transcript.turns.front().text.utf8() == "Goodbye.");
}

TEST_CASE("the cause that ends a conversation while its client is away is its reason",
          "[P2][P8][resume]") {
  Stage stage(with_window());
  stage.open();
  stage.session.client_gone(lost, stage.clock);
  stage.session.end(CloseReason::server_shutdown, "", stage.clock);
  CHECK(stage.session.reason() == CloseReason::server_shutdown);
  CHECK(stage.journal.endings.size() == 1);
}

TEST_CASE("a suspended conversation has not ended, and continues with all its text",
          "[P8][handover]") {
  Stage first(with_window());
  first.open();
  chat(first);
  first.session.suspend("restart", first.clock);
  REQUIRE(first.session.ended());
  CHECK(first.session.suspended());
  CHECK(first.journal.endings.empty());
  REQUIRE(first.journal.handovers.size() == 1);

  Transcript folded;
  for (const auto& row : first.journal.rows) folded.apply(row.event, row.at);
  Stage second(with_window());
  second.session.take_up(std::move(folded),
                         SessionSettings::from_json(first.journal.handovers[0].settings_json),
                         second.clock);
  second.session.client_returned({}, second.clock);
  second.journal.sync();
  second.pass(100);
  const auto received = types(second.drain_client());
  CHECK(received.front() == "session.created");
  CHECK(std::count(received.begin(), received.end(), "conversation.item.added") == 2);

  second.session.upstream_opened(second.dial(), second.clock);
  second.provider(created_without_transcription);
  second.journal.sync();
  const auto rebuilt = second.drain_upstream();
  REQUIRE(rebuilt.size() == 3);
  CHECK(Json::parse(rebuilt[0])["type"] == "session.update");
  CHECK(Json::parse(rebuilt[1])["item"]["id"] == "u0");
  CHECK(Json::parse(rebuilt[2])["item"]["content"][0]["text"] == "Hello");
}

TEST_CASE("a suspension ends a conversation that cannot be continued", "[P2][handover]") {
  Stage nothing_said(with_window());
  nothing_said.session.suspend("restart", nothing_said.clock);
  CHECK(nothing_said.journal.endings.size() == 1);
  Stage no_resume;
  no_resume.open();
  no_resume.session.suspend("restart", no_resume.clock);
  CHECK(no_resume.journal.endings.size() == 1);
}
