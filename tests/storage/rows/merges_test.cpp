// Merge results in the cache and in the counts, and the state that a process leaves if it dies
// between a post and its merge.
#include "storage/rows/merges.hpp"

#include <catch2/catch.hpp>

#include "storage/maintenance/recovery.hpp"
#include "storage/rows/copies.hpp"
#include "storage/rows/row_writer.hpp"
#include "storage/rows/transcript_store.hpp"
#include "storage/rows/webhook_outbox.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/schema.hpp"
#include "tests/support/journal_driver.hpp"
#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::journal;
using namespace verbatim::maintenance;
using namespace verbatim::rows;
using namespace verbatim::sqlite;
using namespace verbatim::store;
using test::TempDir;

namespace {

transcript::CopyTurn copied_turn(int number, const std::string& words) {
  transcript::CopyTurn turn;
  turn.role = number % 2 ? transcript::Role::user : transcript::Role::assistant;
  turn.text = Text::from_wtf8(words);
  turn.ordinal = number;
  return turn;
}

std::vector<transcript::CopyTurn> turns(int from, int to) {
  std::vector<transcript::CopyTurn> all;
  for (int i = from; i <= to; ++i)
    all.push_back(copied_turn(i, "this is turn " + std::to_string(i)));
  return all;
}

/// A session with an attempt of which the relay has heard nothing.
class StoreWithCopies {
 public:
  StoreWithCopies() : database(dir / "v.db", {.access = Access::create}) {
    want_messages(database, ~0u);
    attempt =
        insert_attempt(database, {.session_id = "s1", .user = "ann", .model = "m", .now = 1}, 1)
            .attempt;
  }
  void end() {
    finalise_attempt(database, attempt, {transcript::CloseReason::client_lost, 2, {}});
    // Its end has been announced: later changes are announced too.
    Query newest = database.query("SELECT max(id) FROM message");
    REQUIRE(newest.step());
    begin_try(database, newest.integer(0), "hook");
  }
  KeptCopy post(const std::string& writer, std::vector<transcript::CopyTurn> posted,
                CopyLimits limits = {}) {
    return keep_copy(
        database,
        {.session_id = "s1", .copy = {writer, std::move(posted)}, .now = 5, .limits = limits});
  }
  AttemptSummary listed() {
    return TranscriptStore(dir / "v.db").list({}).sessions.at(0).attempts.at(0);
  }
  std::int64_t updates() {
    Query row = database.query("SELECT count(*) FROM message WHERE kind = ?");
    row.bind(static_cast<int>(WebhookKind::transcript_updated)).step();
    return row.integer(0);
  }
  void merge() {
    TranscriptStore store(dir / "v.db");
    for (const auto one : attempts_to_merge(database, MergeLane::quick, 10))
      if (const auto news = store.merge_news(one)) note_merge(database, *news);
  }

  TempDir dir;
  Database database;
  transcript::AttemptId attempt = 0;
};

}  // namespace

TEST_CASE("a session with posts only reports as many turns as its transcript, in every read",
          "[P3][merges]") {
  StoreWithCopies it;
  create_session(it.database, {.id = "s2", .user = "ann", .now = 1});
  const auto post = [&it](const std::string& writer, int to) {
    keep_copy(it.database, {.session_id = "s2", .copy = {writer, turns(1, to)}, .now = 5});
  };
  const auto check = [&it](std::size_t expected) {
    TranscriptStore store(it.dir / "v.db");
    CHECK(store.transcript("s2", {})->turns.size() == expected);
    CHECK(store.session("s2")->attempts.at(0).turns == expected);
    for (const SessionSummary& one : store.list({}).sessions)
      if (one.id == "s2") CHECK(one.attempts.at(0).turns == expected);
  };
  post("agent", 4);
  it.merge();
  check(4);
  post("client", 6);
  post("agent", 3);
  it.merge();
  check(6);
  CHECK(attempts_to_merge(it.database, MergeLane::quick, 10).empty());
  CHECK(it.updates() == 0);  // it has not begun: its end will announce it

  // Turns that the relay hears later are counted too.
  const auto opened =
      insert_attempt(it.database, {.session_id = "s2", .user = "ann", .model = "m", .now = 7}, 1);
  CHECK(TranscriptStore(it.dir / "v.db").session("s2")->attempts.at(0).turns == 6);
  finalise_attempt(it.database, opened.attempt, {transcript::CloseReason::client_lost, 9, {}});
  it.merge();
  check(6);
}

TEST_CASE("turns posted to a running session count when that session is read", "[P3][merges]") {
  StoreWithCopies it;
  it.post("agent", turns(1, 4));
  TranscriptStore store(it.dir / "v.db");
  CHECK(store.transcript("s1", {})->turns.size() == 4);
  CHECK(store.session("s1")->attempts.at(0).turns == 4);
}

TEST_CASE("a post to an ended attempt marks it, and the merge removes the mark", "[P3][merges]") {
  StoreWithCopies it;
  it.post("agent", turns(1, 4));
  CHECK(attempts_to_merge(it.database, MergeLane::quick, 10).empty());  // its end marks it
  it.end();
  CHECK(attempts_to_merge(it.database, MergeLane::quick, 10) == std::vector{it.attempt});
  it.merge();
  CHECK(it.listed().turns == 4);
  CHECK(it.updates() == 0);  // the end has announced it
  CHECK(attempts_to_merge(it.database, MergeLane::quick, 10).empty());
  it.post("client", turns(1, 6));
  CHECK(it.listed().turns == 4);
  it.merge();
  CHECK(it.listed().turns == 6);
  CHECK(it.updates() == 1);
  it.post("client", turns(1, 6));
  it.post("backup", turns(2, 3));
  it.merge();
  CHECK(it.updates() == 1);  // the copies add nothing
  CHECK(attempts_to_merge(it.database, MergeLane::quick, 10).empty());
}

TEST_CASE("each of several posts that were not merged yet is announced once", "[P3][merges]") {
  StoreWithCopies it;
  it.end();
  it.post("agent", turns(1, 2));
  it.post("client", turns(1, 2));  // adds nothing
  it.post("backup", turns(1, 3));
  TranscriptStore store(it.dir / "v.db");
  const auto news = store.merge_news(it.attempt);
  REQUIRE(news);
  const auto late = it.post("phone", turns(1, 4));
  note_merge(it.database, *news);
  CHECK(it.updates() == 2);
  note_merge(it.database, *news);  // another thread had the same result
  CHECK(it.updates() == 2);
  CHECK(it.listed().turns == 3);
  const auto next = store.merge_news(it.attempt);
  REQUIRE(next);
  CHECK(next->from == late.id);
  note_merge(it.database, *next);
  CHECK(it.updates() == 3);
  CHECK(it.listed().turns == 4);
  CHECK_FALSE(store.merge_news(it.attempt));
}

TEST_CASE("a process that dies between a post and its merge leaves the mark to the next",
          "[P3][P7][merges]") {
  StoreWithCopies it;
  it.end();
  it.post("agent", turns(1, 5));
  std::filesystem::copy_file(it.dir / "v.db", it.dir / "killed.db");
  std::filesystem::copy_file((it.dir / "v.db").string() + "-wal",
                             (it.dir / "killed.db").string() + "-wal");
  recover(it.dir / "killed.db", 9);
  Database database(it.dir / "killed.db");
  REQUIRE(attempts_to_merge(database, MergeLane::quick, 10) == std::vector{it.attempt});
  TranscriptStore store(it.dir / "killed.db");
  CHECK(store.transcript("s1")->turns.size() == 5);  // reads are complete even before the merge
  note_merge(database, *store.merge_news(it.attempt));
  CHECK(store.list({}).sessions.at(0).attempts.at(0).turns == 5);
  Query announced = database.query("SELECT count(*) FROM message WHERE kind = ?");
  announced.bind(static_cast<int>(WebhookKind::transcript_updated)).step();
  CHECK(announced.integer(0) == 1);
}

TEST_CASE("the sum of an attempt's copies is bounded before anything is merged", "[P11][merges]") {
  StoreWithCopies it;
  const auto refusal = [&](std::vector<transcript::CopyTurn> posted, CopyLimits limits) {
    try {
      it.post("client", std::move(posted), limits);
    } catch (const StorageError& error) {
      CHECK(error.failure() == Failure::too_many);
      return std::string(error.what());
    }
    return std::string();
  };
  it.post("agent", turns(1, 4));
  const auto bytes = transcript::encode_turns(turns(1, 4)).size();
  CHECK_THAT(refusal(turns(5, 6), {.turns_max = 5}), Catch::Contains("posts.attempt_turns_max"));
  CHECK_THAT(refusal(turns(5, 6), {.copies_max = 1}), Catch::Contains("posts.copies_max"));
  CHECK_THAT(refusal(turns(5, 6), {.bytes_max = bytes + 1}),
             Catch::Contains("posts.attempt_bytes_max"));
  CHECK(copies_of(it.database, it.attempt).size() == 1);
  CHECK(refusal(turns(5, 6), {.turns_max = 6}).empty());
  CHECK(refusal(turns(5, 6), {.turns_max = 6}).empty());  // an identical copy adds nothing
  CHECK_FALSE(refusal(turns(7, 7), {.turns_max = 6}).empty());
  CHECK(copies_of(it.database, it.attempt).size() == 2);
}

TEST_CASE("a migrated database knows the totals of its copies", "[P11][merges]") {
  StoreWithCopies it;
  it.post("agent", turns(1, 4));
  it.post("client", turns(1, 3));
  const auto counted = [&] {
    Query row = it.database.query("SELECT copies, copy_turns, copy_bytes FROM attempt");
    row.step();
    return std::vector{row.integer(0), row.integer(1), row.integer(2)};
  };
  const auto now = counted();
  CHECK(now == std::vector<std::int64_t>{
                   2, 7,
                   static_cast<std::int64_t>(transcript::encode_turns(turns(1, 4)).size() +
                                             transcript::encode_turns(turns(1, 3)).size())});
  it.database.run("DROP INDEX attempt_to_merge");
  for (const char* column : {"copies", "copy_turns", "copy_bytes", "to_merge"})
    it.database.run(std::string("ALTER TABLE attempt DROP COLUMN ") + column);
  migrate(it.database, 3, schema_steps().first(4));
  CHECK(counted() == now);
}

TEST_CASE("attempts that take long to merge have a lane of their own", "[P11][merges]") {
  StoreWithCopies it;
  create_session(it.database, {.id = "s2", .user = "ann", .now = 1});
  const auto attempts = [&it](MergeLane lane) { return attempts_to_merge(it.database, lane, 10); };
  CHECK_FALSE(merge_lane(it.database, "s1"));
  CHECK_FALSE(it.post("agent", turns(1, 600)).merges_slowly);
  it.end();
  CHECK(merge_lane(it.database, "s1") == MergeLane::quick);
  CHECK(attempts(MergeLane::quick) == std::vector{it.attempt});
  CHECK(attempts(MergeLane::slow).empty());
  SECTION("many turns") { CHECK(it.post("client", turns(1, 700)).merges_slowly); }
  SECTION("many copies") {
    bool slow = false;
    for (int i = 0; i < 600 && !slow; ++i)
      slow = it.post("w" + std::to_string(i), turns(1, 1)).merges_slowly;
    CHECK(slow);
  }
  SECTION("many bytes") {
    CHECK(it.post("client", {copied_turn(1, std::string(1024 * 1024, 'x'))}).merges_slowly);
    CHECK(
        it.post("client", {copied_turn(1, std::string(1024 * 1024, 'x'))}).merges_slowly);  // again
  }
  CHECK(merge_lane(it.database, "s1") == MergeLane::slow);
  CHECK_FALSE(merge_lane(it.database, "s2"));
  CHECK(attempts(MergeLane::quick).empty());
  CHECK(attempts(MergeLane::slow) == std::vector{it.attempt});
}

TEST_CASE("a merge is cached for the next read, until its input changes", "[P3][merges]") {
  StoreWithCopies it;
  it.post("agent", turns(1, 4));
  MergeCache cache(1024 * 1024);
  AttemptRow attempt;
  attempt.id = it.attempt;
  attempt.status = transcript::SessionStatus::live;
  const auto live = cache.merged(it.database, attempt);
  CHECK(live->transcript.turns.size() == 4);
  CHECK(cache.merged(it.database, attempt) != live);  // the relay may have heard more since
  attempt.status = transcript::SessionStatus::created;
  const auto ahead = cache.merged(it.database, attempt);
  CHECK(cache.merged(it.database, attempt) == ahead);  // the relay has heard nothing yet
  it.end();
  attempt.status = transcript::SessionStatus::final;
  const auto first = cache.merged(it.database, attempt);
  CHECK(first != ahead);
  CHECK(cache.merged(it.database, attempt) == first);
  it.post("client", turns(3, 8));
  const auto second = cache.merged(it.database, attempt);
  CHECK(second->transcript.turns.size() == 8);
  CHECK(second->brought.added == 4);
  MergeCache none(0);
  CHECK(none.merged(it.database, attempt)->transcript == second->transcript);
  CHECK(none.merged(it.database, attempt) != none.merged(it.database, attempt));
  SECTION("another session may get an erased attempt's number") {
    erase_session(it.database, "s1");
    it.attempt =
        insert_attempt(it.database, {.session_id = "s1", .user = "ann", .model = "m", .now = 1}, 9)
            .attempt;
    REQUIRE(it.attempt == attempt.id);
    it.end();
    CHECK(cache.merged(it.database, attempt)->transcript.turns.empty());
    it.post("agent", turns(1, 2));
    CHECK(cache.merged(it.database, attempt)->transcript.turns.size() == 2);
  }
}

TEST_CASE("processor time in a change is not taken for a stuck disk", "[P6][merges]") {
  const TempDir dir;
  test::JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  const auto later = std::chrono::steady_clock::now() + std::chrono::hours(1);
  bool failed_meanwhile = true;
  REQUIRE_FALSE(test::execute(journal, [&](Database&) {
    journal.check(later);  // as if an hour had passed inside the change
    failed_meanwhile = journal.failed() || journal.stuck();
  }));
  CHECK_FALSE(failed_meanwhile);
  CHECK(journal.state() == JournalState::working);
}
