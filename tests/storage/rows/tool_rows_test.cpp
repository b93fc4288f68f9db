// Tool calls in the store: after an attempt's end, after a crash, in a segment, after an erasure.
#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

#include "storage/journal/segment.hpp"
#include "storage/maintenance/recovery.hpp"
#include "storage/rows/live_tail.hpp"
#include "storage/rows/tool_rows.hpp"
#include "storage/rows/transcript_store.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/schema.hpp"
#include "tests/support/journal_driver.hpp"
#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::test;
using journal::SqliteJournal;
using rows::TranscriptStore;
using sqlite::Database;
using transcript::ToolCall;
using transcript::ToolKind;
using transcript::ToolStatus;

namespace {

Text text(std::string bytes) { return Text::from_wtf8(std::move(bytes)); }

transcript::Item call_item(const std::string& arguments) {
  return {"f1",
          transcript::ItemKind::function_call,
          transcript::Role::unknown,
          transcript::ItemStatus::completed,
          {},
          R"({"type":"function_call","call_id":"call_1","name":"weather","arguments":")" +
              arguments + "\"}"};
}

transcript::Item output_item(const std::string& output) {
  return {"o1",
          transcript::ItemKind::function_call_output,
          transcript::Role::unknown,
          transcript::ItemStatus::none,
          {},
          R"({"type":"function_call_output","call_id":"call_1","output":")" + output + "\"}"};
}

transcript::Event placed_item(transcript::Item item) {
  transcript::ItemPlaced place;
  place.item = std::move(item);
  return {"", place};
}

ToolCall every_field() {
  ToolCall call;
  call.after = 2;
  call.item_id = "m1";
  call.call_id = "call_7";
  call.kind = ToolKind::mcp;
  call.status = ToolStatus::failed;
  call.name = "find";
  call.server = "handbook";
  call.arguments = text(std::string("{\0}", 3));
  call.output = text("half \xED\xA0\xBD");
  call.error = text(R"({"code":1})");
  call.approval = transcript::ToolApproval{"q1", false, text("no")};
  call.deleted = true;
  call.response_id = "r1";
  call.started_at = 5;
  call.ended_at = 6;
  return call;
}

/// Journals a turn, a tool call and its output. Returns the attempt.
transcript::AttemptId converse(SqliteJournal& journal, JournalWatch& watch, bool answered = true) {
  const auto attempt = open_attempt(journal, usual_spec(1000)).attempt.attempt;
  journal.append(attempt, 1001, placed("u1", transcript::Role::user));
  auto last = journal.append(attempt, 1002, placed_item(call_item("{}")));
  if (answered) last = journal.append(attempt, 1003, placed_item(output_item("Four.")));
  REQUIRE(watch.wait_durable(last));
  return attempt;
}

}  // namespace

TEST_CASE("an attempt's end keeps its tool calls with every field", "[store][tools]") {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  const auto attempt = open_attempt(journal, usual_spec(1000)).attempt.attempt;
  transcript::Ending ending{transcript::CloseReason::client_closed, 2000, {}};
  ToolCall plain;
  plain.arguments = text(std::string(200'000, 'a'));
  plain.output = text(std::string(800'000, 'o'));
  plain.status = ToolStatus::completed;
  ending.transcript.turns = {turn(1, "i1", "One."), turn(2, "i2", "Two.")};
  ending.transcript.tool_calls = {plain, every_field()};
  REQUIRE(watch.wait_durable(journal.close(attempt, ending)));
  TranscriptStore store(dir / "v.db");
  const auto view = store.transcript("s1");
  CHECK(view->tool_calls == ending.transcript.tool_calls);
  CHECK(view->receipt->tool_calls == 2);
}

TEST_CASE("a live attempt shows the tool calls that are durable", "[P1][store][tools]") {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  converse(journal, watch, /*answered=*/false);
  TranscriptStore store(dir / "v.db");
  const auto view = store.transcript("s1");
  REQUIRE(view->tool_calls.size() == 1);
  CHECK(view->tool_calls[0].status == ToolStatus::in_progress);
  CHECK(view->tool_calls[0].after == 1);
}

TEST_CASE("a crash loses no tool call, and leaves one without an output unanswered",
          "[P2][P7][tools]") {
  const bool answered = GENERATE(true, false);
  const TempDir dir;
  {
    JournalWatch watch;
    SqliteJournal journal({.file = dir / "v.db"}, watch);
    converse(journal, watch, answered);
  }
  const auto report = maintenance::recover(dir / "v.db", 9000);
  CHECK(report.attempts.size() == 1);
  TranscriptStore store(dir / "v.db");
  const auto view = store.transcript("s1");
  REQUIRE(view->tool_calls.size() == 1);
  const ToolCall& call = view->tool_calls[0];
  CHECK(call.name == "weather");
  CHECK(call.arguments == text("{}"));
  CHECK(call.output == (answered ? std::optional(text("Four.")) : std::nullopt));
  CHECK(call.status == (answered ? ToolStatus::completed : ToolStatus::unanswered));
  CHECK(call.started_at == 1002);
}

TEST_CASE("tool calls that were written to the fallback directory come back with it",
          "[P6][tools]") {
  const TempDir dir;
  const auto segment = dir / "segment.db";
  journal::LiveAttempts live;
  {
    JournalWatch watch;
    SqliteJournal journal({.file = dir / "v.db"}, watch);
    const auto attempt = converse(journal, watch);
    Database database(dir / "v.db");
    live = journal::live_attempts(database);
    REQUIRE(live.contains(attempt));
  }
  Database database(dir / "v.db");
  {
    const auto there = journal::begin_segment(segment, sqlite::Durability::process, live);
    sqlite::Transaction transaction(*there);
    rows::insert_tool_calls(*there, live.begin()->first, {every_field()});
    transaction.commit();
  }
  journal::merge_segment(database, segment);
  CHECK(rows::tool_calls_of(database, live.begin()->first) == std::vector<ToolCall>{every_field()});
}

TEST_CASE("erasing a session erases its tool calls from every file", "[erase][tools]") {
  const TempDir dir;
  {
    JournalWatch watch;
    SqliteJournal journal({.file = dir / "v.db"}, watch);
    const auto attempt = converse(journal, watch);
    transcript::Ending ending{transcript::CloseReason::client_closed, 2000, {}};
    ToolCall call = every_field();
    call.output = text("the secret output");
    ending.transcript.tool_calls = {call};
    REQUIRE(watch.wait_durable(journal.close(attempt, ending)));
    REQUIRE_FALSE(
        execute(journal, [](Database& database) { rows::erase_session(database, "s1"); }));
  }
  for (const auto& entry : std::filesystem::directory_iterator(dir / "")) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    CHECK(bytes.find("the secret output") == std::string::npos);
  }
  Database database(dir / "v.db");
  CHECK(rows::tool_calls_of(database, 1).empty());
}

TEST_CASE("unknown heard text stays unknown in the store", "[P5][store]") {
  const auto heard = GENERATE(as<std::optional<Text>>(), std::nullopt, text(""), text("One"));
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  const auto attempt = open_attempt(journal, usual_spec(1000)).attempt.attempt;
  transcript::Ending ending{transcript::CloseReason::client_closed, 2000, {}};
  ending.transcript.turns = {turn(1, "i1", "One two.", transcript::TurnStatus::truncated)};
  ending.transcript.turns[0].heard = transcript::Heard{700, heard};
  ending.transcript.turns[0].audio_ms = 1400;
  REQUIRE(watch.wait_durable(journal.close(attempt, ending)));
  const auto shown = TranscriptStore(dir / "v.db").transcript("s1")->turns.at(0);
  REQUIRE(shown.heard);
  CHECK(shown.heard->audio_ms == 700);
  CHECK(shown.heard->text == heard);
  CHECK(shown.audio_ms == 1400);
}

TEST_CASE(
    "no attempt begins before its session or ends before its beginning, even if the clock is set "
    "back",
    "[P2][times][store]") {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  TranscriptStore store(dir / "v.db");
  // The clock is set back by an hour between and within the attempts.
  const TimeMs made = 10'000'000;
  REQUIRE_FALSE(execute(journal, [&](Database& database) {
    rows::create_session(database, {.id = "s1", .user = "ann", .now = made});
  }));
  TimeMs clock = made - 3'600'000;
  TimeMs previous_end = made;
  for (const TimeMs jump : {-100'000, 500'000, -9'000'000}) {
    auto at = usual_spec(1000);
    at.now = clock;
    const auto opened = open_attempt(journal, at).attempt;
    CHECK(opened.started_at == std::max(clock, previous_end));
    journal.append(opened.attempt, clock + 5, delta("a1", "Hello"));
    clock += jump;
    REQUIRE(watch.wait_durable(
        journal.close(opened.attempt, {transcript::CloseReason::client_lost, clock, {}})));
    const auto summary = store.session("s1");
    const auto& attempt = summary->attempts.back();
    CHECK(attempt.started_at >= summary->created_at);
    REQUIRE(attempt.ended_at);
    CHECK(*attempt.ended_at >= attempt.started_at);
    previous_end = *attempt.ended_at;
  }
}

TEST_CASE("recovery ends no attempt before its beginning, though the clock was set back",
          "[P7][times]") {
  const TempDir dir;
  {
    JournalWatch watch;
    SqliteJournal journal({.file = dir / "v.db"}, watch);
    auto late = usual_spec(1000);
    late.now = 5'000'000;
    const auto attempt = open_attempt(journal, late).attempt.attempt;
    journal.append(attempt, 5'000'900, placed("a1", transcript::Role::assistant));
    journal.append(attempt, 5'001'000, delta("a1", "Hello"));
    journal.append(attempt, 1'000, delta("a1", " there"));
    REQUIRE(watch.wait_durable(journal.append(attempt, 2'000, placed_item(call_item("{}")))));
  }
  maintenance::recover(dir / "v.db", 3'000);
  TranscriptStore store(dir / "v.db");
  const auto view = store.transcript("s1");
  CHECK(view->started_at == 5'000'000);
  CHECK(view->ended_at == 5'001'000);
  REQUIRE(view->turns.size() == 1);
  CHECK(view->turns[0].started_at == 5'001'000);
  CHECK(view->turns[0].ended_at == 5'001'000);
  CHECK(view->tool_calls.at(0).started_at == 5'001'000);
}

TEST_CASE("a subscriber gets tool calls as they come, and none twice", "[watch][tools]") {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  const auto attempt = converse(journal, watch, /*answered=*/false);
  Database database(dir / "v.db", {.access = sqlite::Access::read_only});
  rows::LiveTail tail;
  const auto look = [&] { return tail.look(database, {{{"s1", 1}, 0}}).front().second; };
  const auto first = look();
  REQUIRE(first->calls.size() == 1);
  CHECK(first->calls[0]->value.status == ToolStatus::in_progress);
  CHECK(first->calls[0]->json.starts_with(R"({"number":1,"after":1,)"));

  REQUIRE(watch.wait_durable(journal.append(attempt, 1004, delta("a1", "Four"))));
  const auto spoken = look();
  CHECK(spoken->calls[0] == first->calls[0]);  // the same object: nothing to send
  CHECK(store::unseen(spoken->calls, first.get(), 0).empty());

  REQUIRE(watch.wait_durable(journal.append(attempt, 1005, placed_item(output_item("Four.")))));
  const auto answered = look();
  const auto fresh = store::unseen(answered->calls, spoken.get(), 0);
  REQUIRE(fresh.size() == 1);
  CHECK(fresh[0]->value.output == text("Four."));
}
