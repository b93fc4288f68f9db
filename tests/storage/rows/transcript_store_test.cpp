// Reading sessions and transcripts, erasing them, and retention.
#include "storage/rows/transcript_store.hpp"

#include <fstream>
#include <iterator>
#include <set>
#include <thread>

#include <catch2/catch.hpp>

#include "storage/journal/sqlite_journal.hpp"
#include "storage/rows/copies.hpp"
#include "storage/sqlite/database.hpp"
#include "tests/support/journal_driver.hpp"
#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::test;
using journal::SqliteJournal;
using rows::TranscriptStore;
using sqlite::Database;
using store::SessionFilter;
using transcript::SessionStatus;

namespace {

namespace fs = std::filesystem;

std::vector<std::string> ids(const store::SessionPage& page) {
  std::vector<std::string> found;
  for (const auto& session : page.sessions) found.push_back(session.id);
  return found;
}

/// True if any file of the folder holds this text.
bool anywhere(const fs::path& folder, const std::string& text) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    if (bytes.find(text) != std::string::npos) return true;
  }
  return false;
}

bool make_session(Database& database, const std::string& id, const std::string& user,
                  const std::string& metadata, TimeMs now) {
  const auto made = rows::create_session(
      database, {.id = id, .user = user, .metadata_json = metadata, .now = now});
  return made.outcome == store::MadeSession::Outcome::made;
}

}  // namespace

TEST_CASE("a store without a file throws not_found", "[store]") {
  const TempDir dir;
  try {
    TranscriptStore store(dir / "none.db");
    FAIL("opened nothing");
  } catch (const store::StorageError& error) {
    CHECK(error.failure() == store::Failure::not_found);
  }
}

TEST_CASE("sessions are listed newest first, page by page, each once", "[store]") {
  const TempDir dir;
  Database database(dir / "v.db", {.access = sqlite::Access::create});
  for (int i = 0; i < 7; ++i)
    REQUIRE(make_session(database, "s" + std::to_string(i), "ann", "{}", 100 + i));
  CHECK_FALSE(make_session(database, "s3", "ann", "{}", 999));
  TranscriptStore store(dir / "v.db");
  SessionFilter filter;
  filter.limit = 3;
  auto page = store.list(filter);
  CHECK(ids(page) == std::vector<std::string>{"s6", "s5", "s4"});
  CHECK(page.sessions[0].status == SessionStatus::created);
  filter.cursor = page.next_cursor;
  make_session(database, "s7", "ann", "{}", 200);  // does not shift the pages
  page = store.list(filter);
  CHECK(ids(page) == std::vector<std::string>{"s3", "s2", "s1"});
  filter.cursor = page.next_cursor;
  page = store.list(filter);
  CHECK(ids(page) == std::vector<std::string>{"s0"});
  CHECK(page.next_cursor.empty());
  filter.cursor = "1 OR 1=1";
  CHECK_THROWS_AS(store.list(filter), store::StorageError);
}

TEST_CASE("filters choose by user, time, status and metadata", "[store]") {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  REQUIRE_FALSE(execute(journal, [](Database& database) {
    make_session(database, "a", "ann", R"({"group":"red","n":1})", 100);
    make_session(database, "b", "bob", R"({"group":"red","a\".b":"odd"})", 200);
    make_session(database, "c", "ann", R"({"group":"blue"})", 300);
  }));
  store::AttemptSpec live = usual_spec();
  live.session_id = "b";
  live.user = "bob";
  const auto attempt = open_attempt(journal, live).attempt.attempt;
  live.session_id = "c";
  live.user = "ann";
  REQUIRE(watch.wait_durable(journal.close(open_attempt(journal, live).attempt.attempt, {})));

  TranscriptStore store(dir / "v.db");
  const auto chosen = [&](const SessionFilter& filter) { return ids(store.list(filter)); };
  using Ids = std::vector<std::string>;
  SessionFilter filter;
  CHECK(chosen(filter) == Ids{"c", "b", "a"});
  filter.user = "ann";
  CHECK(chosen(filter) == Ids{"c", "a"});
  filter.until = 300;
  CHECK(chosen(filter) == Ids{"a"});
  filter = {};
  filter.since = 200;
  CHECK(chosen(filter) == Ids{"c", "b"});
  filter.status = SessionStatus::live;
  CHECK(chosen(filter) == Ids{"b"});
  filter = {};
  filter.status = SessionStatus::created;
  CHECK(chosen(filter) == Ids{"a"});
  filter = {};
  filter.metadata = {{"group", "red"}};
  CHECK(chosen(filter) == Ids{"b", "a"});
  filter.metadata = {{"group", "red"}, {"a\".b", "odd"}};
  CHECK(chosen(filter) == Ids{"b"});
  filter.metadata = {{"n", "1"}};  // a number is chosen as it is written
  CHECK(chosen(filter) == Ids{"a"});
  filter.metadata = {{"n", "2"}};
  CHECK(chosen(filter).empty());
  filter.metadata = {{"group", "red' OR 1=1 --"}};
  CHECK(chosen(filter).empty());
  CHECK(journal.close(attempt, {}) != 0);
}

TEST_CASE("a live attempt shows its durable journal rows and no more", "[P1][store]") {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  TranscriptStore store(dir / "v.db");
  CHECK_FALSE(store.transcript("s1"));
  const auto attempt = open_attempt(journal, usual_spec()).attempt.attempt;
  CHECK(store.transcript("s1")->turns.empty());
  journal.append(attempt, 10, placed("i1", transcript::Role::assistant));
  REQUIRE(watch.wait_durable(journal.append(attempt, 11, delta("i1", "half a wo"))));
  const auto view = store.transcript("s1");
  REQUIRE(view);
  CHECK(view->status == SessionStatus::live);
  CHECK(view->writers == std::vector<std::string>{"relay"});
  REQUIRE(view->turns.size() == 1);
  CHECK(view->turns[0].text.utf8() == "half a wo");
  CHECK(view->turns[0].status == transcript::TurnStatus::in_progress);
  CHECK_FALSE(view->ended_at);
  CHECK_FALSE(store.transcript("s1", 2));

  open_attempt(journal, usual_spec());
  CHECK(store.transcript("s1")->attempt == 2);
  CHECK(store.transcript("s1")->turns.empty());
  CHECK(store.transcript("s1", 1)->turns.size() == 1);
  CHECK(store.session("s1")->attempts.size() == 2);
}

TEST_CASE("reading beside a running writer sees whole transactions and only growth",
          "[P1][P3][store]") {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db", .wal_checkpoint_bytes = 64 * 1024}, watch);
  const auto attempt = open_attempt(journal, usual_spec()).attempt.attempt;
  journal.append(attempt, 1, placed("i1", transcript::Role::assistant));
  constexpr int numbers = 5000;
  std::thread writer([&] {
    for (int i = 0; i < numbers; ++i) journal.append(attempt, 2 + i, delta("i1", "x"));
    transcript::Ending ending;
    ending.transcript.turns = {turn(1, "i1", std::string(numbers, 'x'))};
    journal.close(attempt, ending);
  });
  TranscriptStore store(dir / "v.db");
  std::size_t seen = 0;
  bool final = false;
  for (int reads = 0; reads < 100000 && !final; ++reads) {
    const auto view = store.transcript("s1");
    REQUIRE(view);
    const std::size_t length = view->turns.empty() ? 0 : view->turns[0].text.size_bytes();
    REQUIRE(length >= seen);  // also when rows move from the journal to the turn table
    seen = length;
    final = view->status == SessionStatus::final;
  }
  writer.join();
  CHECK(final);
  CHECK(seen == numbers);
}

TEST_CASE("an erased session is in no file any more", "[P10][store]") {
  const TempDir dir;
  const std::string secret = "the-planted-words";
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  const auto other = open_attempt(journal, {.session_id = "s0", .user = "bob", .now = 1});
  const auto attempt = open_attempt(journal, usual_spec()).attempt.attempt;
  journal.append(attempt, 1, placed("i1", transcript::Role::assistant));
  for (int i = 0; i < 100; ++i) journal.append(attempt, 2, delta("i1", secret));
  transcript::Ending ending;
  ending.transcript.turns = {turn(1, "i1", secret)};
  REQUIRE(watch.wait_durable(journal.close(attempt, ending)));
  REQUIRE(anywhere(dir.path(), secret));

  REQUIRE_FALSE(execute(journal, [](Database& database) {
    CHECK(rows::erase_session(database, "s1"));
    CHECK_FALSE(rows::erase_session(database, "s1"));
    CHECK_FALSE(rows::erase_session(database, "never"));
  }));
  TranscriptStore store(dir / "v.db");
  CHECK_FALSE(store.session("s1"));
  CHECK(store.session("s0"));
  // The idle writer empties the WAL.
  const auto log = dir / "v.db-wal";
  const auto give_up = std::chrono::steady_clock::now() + patience;
  while (fs::file_size(log) > 0 && std::chrono::steady_clock::now() < give_up)
    std::this_thread::yield();
  CHECK_FALSE(anywhere(dir.path(), secret));
}

TEST_CASE("erasing on a separate connection empties the WAL at once", "[P10][store]") {
  const TempDir dir;
  const std::string secret = "the-planted-words";
  Database database(dir / "v.db", {.access = sqlite::Access::create});
  rows::create_session(database, {.id = secret, .user = "ann", .now = 1});
  REQUIRE(anywhere(dir.path(), secret));
  CHECK(rows::erase_session(database, secret));
  CHECK_FALSE(anywhere(dir.path(), secret));
}

TEST_CASE("an attempt's usage is shown while it runs, and counted for its user after its end",
          "[store][limits]") {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  TranscriptStore store(dir / "v.db");
  const auto opened = open_attempt(journal, usual_spec()).attempt;
  transcript::ResponseEnded response;
  response.response_id = "r1";
  response.usage = R"({"total_tokens":7})";
  journal.append(opened.attempt, 2, {"e1", response});
  journal.append(opened.attempt, 2, {{}, transcript::AudioMetered{1500, 250}});
  watch.wait_durable(journal.append(
      opened.attempt, 2, {{}, transcript::TranscriptionUsage{"u1", 0, R"({"total_tokens":3})"}}));
  const std::string all = R"([{"verbatim_usage_of":{"response_id":"r1"}},)"
                          R"({"total_tokens":7},{"total_tokens":3},)"
                          R"({"verbatim_responses":{"by_status":{"other":1},"last_reason":null}},)"
                          R"({"verbatim_audio":{"input_ms":1500,"output_ms":250}}])";
  CHECK(store.session("s1")->attempts.at(0).usage_json == all);
  CHECK(store.used_by("ann", 0, 10).total_tokens == 0);
  transcript::Ending ending{transcript::CloseReason::client_closed, 5, {}};
  ending.transcript.usage_json = all;
  watch.wait_durable(journal.close(opened.attempt, ending));
  CHECK(store.session("s1")->attempts.at(0).usage_json == all);
  CHECK(store.used_by("ann", 0, 10).total_tokens == 10);
  CHECK(store.used_by("ann", 0, 10).audio_ms() == 1750);
  CHECK(store.used_by("ann", 2, 10).total_tokens == 0);  // it began before this period
  CHECK(store.used_by("bob", 0, 10).total_tokens == 0);
}

TEST_CASE("only sessions that are over, and long enough, are past their retention", "[store]") {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  const auto end = [&](const std::string& id, TimeMs started, TimeMs ended) {
    const auto opened =
        open_attempt(journal, {.session_id = id, .user = "ann", .now = started}).attempt;
    transcript::Ending ending;
    ending.ended_at = ended;
    REQUIRE(watch.wait_durable(journal.close(opened.attempt, ending)));
  };
  end("old", 1, 10);
  end("just", 1, 100);
  end("again", 1, 10);
  end("again", 50, 100);
  end("goes-on", 1, 10);
  open_attempt(journal, {.session_id = "goes-on", .user = "ann", .now = 20});
  end("older", 1, 9);
  REQUIRE_FALSE(execute(journal, [](Database& database) {
    REQUIRE(make_session(database, "not-begun", "ann", "{}", 1));
  }));
  TranscriptStore store(dir / "v.db");
  CHECK(store.ended_before(100, 10) == std::vector<std::string>{"old", "older"});
  CHECK(store.ended_before(100, 1) == std::vector<std::string>{"old"});
  CHECK(store.ended_before(101, 10) == std::vector<std::string>{"old", "just", "again", "older"});
  CHECK(store.ended_before(9, 10).empty());
}

TEST_CASE("a session with posts only is past its retention a time after its last post", "[store]") {
  const TempDir dir;
  Database database(dir / "v.db", {.access = sqlite::Access::create});
  REQUIRE(make_session(database, "s1", "ann", "{}", 1));
  const auto post = [&](const char* text, TimeMs now) {
    transcript::CopyTurn turn;
    turn.role = transcript::Role::user;
    turn.text = Text::from_wtf8(text);
    rows::keep_copy(database, {.session_id = "s1", .copy = {"agent", {turn}}, .now = now});
  };
  post("one", 10);
  post("two", 50);
  TranscriptStore store(dir / "v.db");
  CHECK(store.ended_before(50, 10).empty());
  CHECK(store.ended_before(51, 10) == std::vector<std::string>{"s1"});
}
