// The journal: order, group commit, limits, attempts, changes and pruning.
#include "storage/journal/sqlite_journal.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <future>
#include <map>
#include <thread>

#include <catch2/catch.hpp>

#include "storage/rows/event_codec.hpp"
#include "storage/rows/row_writer.hpp"
#include "storage/rows/transcript_store.hpp"
#include "storage/sqlite/database.hpp"
#include "tests/support/journal_driver.hpp"
#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::test;
using journal::SqliteJournal;
using store::AttemptSpec;

namespace {

AttemptSpec spec(const std::string& session, const std::string& user = "ann") {
  return {.session_id = session, .user = user, .metadata = "{}", .model = "m", .now = 1000};
}

struct Row {
  transcript::Sequence seq;
  transcript::AttemptId attempt;
  std::string text;
};

std::vector<Row> rows_in(const std::filesystem::path& file) {
  sqlite::Database database(file, {.access = sqlite::Access::read_only});
  std::vector<Row> rows;
  sqlite::Query query = database.query("SELECT seq, attempt, body FROM journal ORDER BY seq");
  while (query.step()) {
    const auto event = rows::decode_event(query.blob(2));
    REQUIRE(event);
    const auto* text = std::get_if<transcript::TextDelta>(&event->body);
    rows.push_back({static_cast<transcript::Sequence>(query.integer(0)), query.integer(1),
                    text ? text->text.wtf8() : ""});
  }
  return rows;
}

}  // namespace

TEST_CASE("rows up to the watermark are in the file, in order", "[P1][journal]") {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  const auto opened = open_attempt(journal, spec("s1"));
  REQUIRE_FALSE(opened.error);
  transcript::Sequence last = 0;
  for (int i = 0; i < 500; ++i) {
    const auto sequence =
        journal.append(opened.attempt.attempt, 2000 + i, delta("i1", std::to_string(i)));
    REQUIRE(sequence > last);
    last = sequence;
  }
  REQUIRE(watch.wait_durable(last));
  CHECK(journal.durable() == last);
  const auto rows = rows_in(dir / "v.db");
  REQUIRE(rows.size() == 500);
  for (std::size_t i = 0; i < rows.size(); ++i) CHECK(rows[i].text == std::to_string(i));
}

TEST_CASE("many threads share commits and each keeps its order", "[P1][journal]") {
  const TempDir dir;
  JournalWatch watch;
  {
    SqliteJournal journal({.file = dir / "v.db", .batch_rows_max = 64}, watch);
    constexpr int threads = 6;
    constexpr int each = 400;
    std::vector<transcript::AttemptId> attempts;
    for (int t = 0; t < threads; ++t)
      attempts.push_back(open_attempt(journal, spec("s" + std::to_string(t))).attempt.attempt);
    std::vector<std::thread> callers;
    for (const auto attempt : attempts)
      callers.emplace_back([&journal, attempt] {
        for (int i = 0; i < each; ++i) journal.append(attempt, i, delta("i", std::to_string(i)));
      });
    for (auto& caller : callers) caller.join();
    const auto flushed = journal.append(attempts[0], 0, delta("i", "end"));
    REQUIRE(watch.wait_durable(flushed));

    std::map<transcript::AttemptId, int> next;
    for (const Row& row : rows_in(dir / "v.db"))
      if (row.text != "end") CHECK(row.text == std::to_string(next[row.attempt]++));
    REQUIRE(next.size() == threads);
    for (const auto& [attempt, count] : next) CHECK(count == each);
    const auto stats = journal.take_stats();
    CHECK(stats.rows == threads * each + threads + 1);
    CHECK(stats.commits < stats.rows);
    CHECK(stats.commits >= stats.rows / 64);
  }
  const auto marks = watch.watermarks();
  CHECK(std::is_sorted(marks.begin(), marks.end()));
}

TEST_CASE("a lone event is durable at once, the next waits for the interval unless it is hurried",
          "[P1][journal][pacing]") {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db", .commit_interval_ms = 3'600'000}, watch);
  const auto attempt = open_attempt(journal, spec("s1")).attempt.attempt;
  const auto next = journal.append(attempt, 2000, delta("i1", "waits"));
  CHECK(journal.durable() < next);
  journal.hurry();
  REQUIRE(watch.wait_durable(next));
  const auto later = journal.append(attempt, 2000, delta("i1", "waits for the end"));
  const auto end = journal.close(attempt, {});
  REQUIRE(watch.wait_durable(end));
  CHECK(journal.durable() >= later);
}

TEST_CASE("turns wait with the events, unless a webhook announces them", "[journal][pacing]") {
  const TempDir dir;
  JournalWatch watch;
  const bool announced = GENERATE(false, true);
  SqliteJournal journal(
      {.file = dir / "v.db", .commit_interval_ms = 3'600'000, .turns_are_urgent = announced},
      watch);
  const auto attempt = open_attempt(journal, spec("s1")).attempt.attempt;
  transcript::Turn turn;
  turn.item_id = "i1";
  const transcript::Sequence settled = journal.settle(attempt, turn);
  if (announced) {
    CHECK(watch.wait_durable(settled));
  } else {
    CHECK(journal.durable() < settled);
  }
}

TEST_CASE("a full queue refuses new jobs and keeps all that it accepted", "[P6][P11][journal]") {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db", .queue_bytes_max = 20000}, watch);
  const auto attempt = open_attempt(journal, spec("s1")).attempt.attempt;

  std::promise<void> entered;
  std::promise<void> release;
  journal.execute(
      [&, gate = std::make_shared<std::future<void>>(release.get_future())](sqlite::Database&) {
        entered.set_value();
        gate->wait();
      },
      [](const store::StorageError*) {});
  entered.get_future().wait();  // the writer is busy: from now on the queue only fills
  transcript::Sequence last = 0;
  int taken = 0;
  for (; taken < 1000; ++taken) {
    const auto sequence = journal.append(attempt, 0, delta("i", std::string(200, 'x')));
    if (sequence == 0) break;
    last = sequence;
  }
  CHECK(taken > 10);
  CHECK(taken < 100);
  AttemptSpec large = spec("s2");
  large.metadata = std::string(300, ' ') + "{}";
  const auto refused = open_attempt(journal, large);
  REQUIRE(refused.error);
  CHECK(refused.error->failure() == store::Failure::queue_full);
  CHECK_FALSE(journal.failed());

  release.set_value();
  REQUIRE(watch.wait_durable(last));
  CHECK(rows_in(dir / "v.db").size() == static_cast<std::size_t>(taken));
  const auto again = journal.append(attempt, 0, delta("i", "room again"));
  CHECK(again > last);
  CHECK(watch.wait_durable(again));
}

TEST_CASE("a large event is taken by a queue of any size, and takes no room from small ones",
          "[P1][P11][journal]") {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db", .queue_bytes_max = 20000}, watch);
  const auto attempt = open_attempt(journal, spec("s1")).attempt.attempt;

  std::promise<void> entered;
  std::promise<void> release;
  journal.execute(
      [&, gate = std::make_shared<std::future<void>>(release.get_future())](sqlite::Database&) {
        entered.set_value();
        gate->wait();
      },
      [](const store::StorageError*) {});
  entered.get_future().wait();
  CHECK_FALSE(journal.crowded());
  const std::string large(24 << 20, 'x');
  REQUIRE(journal.append(attempt, 0, delta("i1", large)) != 0);
  CHECK(journal.crowded());  // sessions stop reading
  // Rows that other sessions had read by then still fit.
  transcript::Sequence last = 0;
  for (int i = 0; i < 10; ++i) {
    last = journal.append(attempt, 0, delta("i2", std::string(200, 'y')));
    REQUIRE(last != 0);
  }
  release.set_value();
  REQUIRE(watch.wait_durable(last));
  CHECK_FALSE(journal.crowded());
  CHECK(journal.queue_bytes() == 0);
  const auto rows = rows_in(dir / "v.db");
  REQUIRE(rows.size() == 11);
}

TEST_CASE("attempts of a session are numbered and belong to one user", "[journal]") {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  CHECK(open_attempt(journal, spec("s1")).attempt.number == 1);
  CHECK(open_attempt(journal, spec("s1")).attempt.number == 2);
  const auto stranger = open_attempt(journal, spec("s1", "eve"));
  REQUIRE(stranger.error);
  CHECK(stranger.error->failure() == store::Failure::not_found);
  CHECK(open_attempt(journal, spec("s2", "eve")).attempt.number == 1);
  CHECK(open_attempt(journal, spec("s1")).attempt.number == 3);
}

TEST_CASE("a change that fails undoes itself and nothing else", "[journal]") {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  const auto error = execute(journal, [](sqlite::Database& database) {
    rows::create_session(database, {.id = "half", .user = "ann", .now = 1});
    database.run("INSERT INTO no_such_table VALUES (1)");
  });
  REQUIRE(error);
  CHECK(error->failure() == store::Failure::other);
  CHECK_FALSE(journal.failed());
  const auto thrown =
      execute(journal, [](sqlite::Database&) { throw std::runtime_error("changed my mind"); });
  REQUIRE(thrown);
  CHECK(std::string(thrown->what()) == "changed my mind");
  CHECK_FALSE(execute(journal, [](sqlite::Database& database) {
    rows::create_session(database, {.id = "whole", .user = "ann", .now = 1});
  }));
  rows::TranscriptStore store(dir / "v.db");
  CHECK_FALSE(store.session("half"));
  CHECK(store.session("whole"));
}

TEST_CASE("sequences go on after a restart, also when every row was pruned", "[P7][journal]") {
  const TempDir dir;
  transcript::Sequence last = 0;
  {
    JournalWatch watch;
    SqliteJournal journal({.file = dir / "v.db"}, watch);
    const auto attempt = open_attempt(journal, spec("s1")).attempt.attempt;
    for (int i = 0; i < 2500; ++i) last = journal.append(attempt, i, delta("i", "x"));
    REQUIRE(watch.wait_durable(journal.close(attempt, {})));
    // An idle writer prunes in pieces, and checks the queue after each.
    for (int looks = 0; looks < 20000 && !rows_in(dir / "v.db").empty(); ++looks)
      execute(journal, [](sqlite::Database&) {});
    REQUIRE(rows_in(dir / "v.db").empty());
  }
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  CHECK(journal.durable() >= last);
  CHECK(journal.append(1, 0, delta("i", "y")) > last);
}

TEST_CASE("rows of a live attempt stay while later ones end", "[P1][journal]") {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  const auto before = open_attempt(journal, spec("s0")).attempt.attempt;
  journal.append(before, 1, delta("i", "before"));
  const auto live = open_attempt(journal, spec("s1")).attempt.attempt;
  journal.append(live, 1, delta("i", "live"));
  const auto ended = open_attempt(journal, spec("s2")).attempt.attempt;
  journal.append(ended, 1, delta("i", "ended"));
  REQUIRE(watch.wait_durable(journal.close(ended, {})));
  REQUIRE(watch.wait_durable(journal.close(before, {})));
  std::vector<Row> rows = rows_in(dir / "v.db");
  for (int looks = 0; looks < 20000 && rows.front().text == "before"; ++looks) {
    execute(journal, [](sqlite::Database&) {});
    rows = rows_in(dir / "v.db");
  }
  REQUIRE(rows.front().text == "live");
}

TEST_CASE("settling a turn twice keeps one row and its known place", "[P3][journal]") {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  const auto attempt = open_attempt(journal, spec("s1")).attempt.attempt;
  journal.settle(attempt, turn(2, "i2", "half", transcript::TurnStatus::in_progress));
  journal.settle(attempt, turn(0, "i2", "half and whole"));
  transcript::Ending ending;
  ending.reason = transcript::CloseReason::client_lost;
  ending.ended_at = 9000;
  ending.transcript.turns = {turn(1, "i1", "first")};
  ending.transcript.gaps = {{"i9", transcript::GapKind::failed_transcription}};
  ending.transcript.usage_json = R"([{"total_tokens":7}])";
  REQUIRE(watch.wait_durable(journal.close(attempt, ending)));

  rows::TranscriptStore store(dir / "v.db");
  const auto view = store.transcript("s1");
  REQUIRE(view);
  CHECK(view->status == transcript::SessionStatus::final);
  CHECK(view->close_reason == transcript::CloseReason::client_lost);
  CHECK(view->ended_at == 9000);
  CHECK_FALSE(view->complete);
  CHECK(view->gaps == ending.transcript.gaps);
  CHECK(view->writers == std::vector<std::string>{"relay"});
  CHECK(view->turns.size() == 2);
  CHECK(view->turns.at(0) == transcript::Turn(turn(1, "i1", "first")));
  CHECK(view->turns.at(1) == transcript::Turn(turn(2, "i2", "half and whole")));
  CHECK(store.session("s1")->attempts.at(0).usage_json == R"([{"total_tokens":7}])");
}

TEST_CASE("the end of an attempt does not write its text again", "[P2][P11][journal]") {
  const TempDir dir;
  sqlite::Database database(dir / "v.db", {.access = sqlite::Access::create});
  constexpr int turns = 300;
  constexpr std::size_t text_bytes = 20'000;
  const auto attempt = rows::insert_attempt(database, spec("s1"), 1).attempt;
  transcript::Ending ending;
  for (int i = 1; i <= turns; ++i) {
    transcript::Turn said = turn(0, "i" + std::to_string(i), std::string(text_bytes, 'w'));
    rows::upsert_turn(database, attempt, said, i);
    said.ordinal = i;
    ending.transcript.turns.push_back(std::move(said));
  }
  database.checkpoint(sqlite::Database::Checkpoint::truncate);
  sqlite::Transaction transaction(database);
  rows::finalise_attempt(database, attempt, ending);
  transaction.commit();
  // One page for each row, not the five or six that hold its text.
  CHECK(database.wal_bytes() < turns * text_bytes / 3);

  const auto view = rows::TranscriptStore(dir / "v.db").transcript("s1");
  REQUIRE(view);
  REQUIRE(view->turns.size() == turns);
  for (std::size_t i = 0; i < turns; ++i)
    REQUIRE(view->turns[i] == transcript::Turn(ending.transcript.turns[i]));
}

TEST_CASE("turns without a known place are in the order in which they were settled",
          "[P3][journal]") {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  const auto attempt = open_attempt(journal, spec("s1")).attempt.attempt;
  transcript::Sequence last = 0;
  for (const char* id : {"i1", "i2", "i3"})
    last = journal.settle(attempt, turn(0, id, "words")).sequence;
  REQUIRE(watch.wait_durable(last));
  sqlite::Database database(dir / "v.db", {.access = sqlite::Access::read_only});
  auto read = database.query("SELECT group_concat(item_id || ordinal) FROM turn ORDER BY id");
  REQUIRE(read.step());
  CHECK(read.text(0) == "i1-1,i2-2,i3-3");
}

TEST_CASE("an attempt ends once: a second ending changes nothing", "[P2][journal]") {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  const auto attempt = open_attempt(journal, spec("s1")).attempt.attempt;
  transcript::Ending first;
  first.reason = transcript::CloseReason::client_lost;
  first.ended_at = 9000;
  first.transcript.turns = {turn(1, "i1", "first")};
  journal.close(attempt, first);
  transcript::Ending second;
  second.reason = transcript::CloseReason::upstream_error;
  second.ended_at = 9999;
  second.transcript.turns = {turn(1, "i1", "other"), turn(2, "i2", "more")};
  REQUIRE(watch.wait_durable(journal.close(attempt, second)));

  const auto view = rows::TranscriptStore(dir / "v.db").transcript("s1");
  REQUIRE(view);
  CHECK(view->close_reason == first.reason);
  CHECK(view->ended_at == first.ended_at);
  CHECK(view->turns == transcript::merge(first.transcript, {}).turns);
}

TEST_CASE("only their owner can read the files", "[security][journal]") {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  open_attempt(journal, spec("s1"));
  for (const char* name : {"v.db", "v.db-wal", "v.db-shm"}) {
    struct stat status = {};
    INFO(name);
    REQUIRE(::stat((dir / name).c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
  }
}

TEST_CASE("the journal's steps grow while its thread lives, also while it has nothing to do",
          "[operation][watchdog][journal]") {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  const auto moves = [&journal] {
    const std::uint64_t before = journal.writer_steps();
    while (journal.writer_steps() == before) std::this_thread::yield();
  };
  moves();
  moves();

  std::promise<void> hangs;
  std::promise<void> released;
  std::promise<void> done;
  journal.execute(
      [&](sqlite::Database&) {
        hangs.set_value();
        released.get_future().wait();
      },
      [&](const store::StorageError*) { done.set_value(); });
  hangs.get_future().wait();
  const std::uint64_t stopped = journal.writer_steps();
  for (int asked = 0; asked < 1000; ++asked) CHECK(journal.writer_steps() == stopped);
  released.set_value();
  done.get_future().wait();
  moves();
}
