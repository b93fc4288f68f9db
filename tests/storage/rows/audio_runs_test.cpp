// The index of recorded audio: in the journal's transaction, after the end, in a segment, erased.
#include "storage/rows/audio_runs.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "storage/journal/segment.hpp"
#include "storage/maintenance/recovery.hpp"
#include "storage/rows/transcript_store.hpp"
#include "storage/sqlite/database.hpp"
#include "tests/support/journal_driver.hpp"
#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::test;
using journal::SqliteJournal;
using sqlite::Database;
using transcript::AudioEncoding;
using transcript::AudioFormat;
using transcript::AudioPlaced;
using transcript::AudioTrack;

namespace {

using Runs = std::vector<AudioPlaced>;

const AudioPlaced spoken{AudioTrack::user, {}, 0, -1, 300, {AudioEncoding::pcmu, 8000}};
const AudioPlaced utterance{AudioTrack::user, "u1", 800, 4000, -1, {AudioEncoding::pcmu, 8000}};
const AudioPlaced answer{AudioTrack::assistant, "a1", 0, -1, 2000, {}};

AudioPlaced cut(AudioPlaced run, std::int64_t bytes) {
  run.bytes = bytes;
  return run;
}

Runs runs_of(Database& database, const std::string& session = "s1") {
  const auto found = rows::recorded_attempt(database, session, std::nullopt);
  return found ? found->runs : Runs();
}

/// Journals an answer that is cut off later. Returns the attempt.
transcript::AttemptId record_runs(SqliteJournal& journal, JournalWatch& watch) {
  const auto attempt = open_attempt(journal, usual_spec(1000)).attempt.attempt;
  for (const AudioPlaced& run : {spoken, answer, utterance})
    journal.append(attempt, 1001, {"", run});
  REQUIRE(watch.wait_durable(journal.append(attempt, 1002, {"", cut(answer, 9600)})));
  return attempt;
}

transcript::AttemptId record_and_close(SqliteJournal& journal, JournalWatch& watch) {
  const auto attempt = record_runs(journal, watch);
  REQUIRE(watch.wait_durable(
      journal.close(attempt, {transcript::CloseReason::client_closed, 2000, {}})));
  return attempt;
}

const Runs recorded{spoken, utterance, cut(answer, 9600)};

}  // namespace

TEST_CASE("the index of a recording is durable with its event, and a later run replaces one",
          "[recording][P1][P15]") {
  const TempDir dir;
  {
    JournalWatch watch;
    SqliteJournal journal({.file = dir / "v.db"}, watch);
    record_runs(journal, watch);
    Database beside(dir / "v.db");
    CHECK(runs_of(beside) == recorded);
  }
  maintenance::recover(dir / "v.db", 9000);
  Database database(dir / "v.db");
  CHECK(runs_of(database) == recorded);
  CHECK_FALSE(rows::recorded_attempt(database, "s1", 2));
  CHECK_FALSE(rows::recorded_attempt(database, "s2", std::nullopt));
}

TEST_CASE("an export works after the journal's rows are gone", "[recording][P15]") {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  const auto attempt = record_and_close(journal, watch);
  REQUIRE_FALSE(execute(journal, [&](Database& database) {
    database.query("DELETE FROM journal WHERE attempt = ?").bind(attempt).run();
    CHECK(runs_of(database) == recorded);
  }));
  const auto found = rows::TranscriptStore(dir / "v.db").session("s1");
  REQUIRE(found);
  CHECK(found->attempts.at(0).recorded == store::Recorded::yes);
}

TEST_CASE("a session says whether it was recorded, and whether the recording stopped",
          "[recording][P15]") {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  const auto attempt = open_attempt(journal, usual_spec(1000)).attempt.attempt;
  rows::TranscriptStore store(dir / "v.db");
  const auto state = [&] { return store.session("s1")->attempts.at(0).recorded; };
  CHECK(state() == store::Recorded::no);
  REQUIRE(watch.wait_durable(journal.append(attempt, 1001, {"", spoken})));
  CHECK(state() == store::Recorded::yes);
  const AudioPlaced stop{AudioTrack::user, {}, 960, 0, 400, {AudioEncoding::none, 24000}};
  REQUIRE(watch.wait_durable(journal.append(attempt, 1002, {"", stop})));
  CHECK(state() == store::Recorded::stopped);
}

TEST_CASE("an index that was written to the fallback directory comes back with it",
          "[recording][P6]") {
  const TempDir dir;
  const auto segment = dir / "segment.db";
  journal::LiveAttempts live;
  {
    JournalWatch watch;
    SqliteJournal journal({.file = dir / "v.db"}, watch);
    record_runs(journal, watch);
    Database database(dir / "v.db");
    live = journal::live_attempts(database);
  }
  Database database(dir / "v.db");
  {
    const auto there = journal::begin_segment(segment, sqlite::Durability::process, live);
    sqlite::Transaction transaction(*there);
    rows::upsert_audio_run(*there, live.begin()->first, cut(answer, 100));
    transaction.commit();
  }
  journal::merge_segment(database, segment);
  CHECK(runs_of(database) == Runs{spoken, utterance, cut(answer, 100)});
}

TEST_CASE("erasing a session erases the index of its audio", "[recording][erase]") {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  record_and_close(journal, watch);
  REQUIRE_FALSE(execute(journal, [](Database& database) {
    rows::erase_session(database, "s1");
    sqlite::Query left = database.query("SELECT count(*) FROM audio_run");
    REQUIRE(left.step());
    CHECK(left.integer(0) == 0);
  }));
}
