// Storage trouble that passes, and journaling in the fallback directory: nothing is lost, nothing
// is written twice, and every waiting caller gets an answer.
#include <sys/mount.h>

#include <fstream>

#include <catch2/catch.hpp>

#include "storage/journal/segment.hpp"
#include "storage/journal/sqlite_journal.hpp"
#include "storage/maintenance/recovery.hpp"
#include "storage/rows/transcript_store.hpp"
#include "storage/sqlite/database.hpp"
#include "tests/support/fault_vfs.hpp"
#include "tests/support/journal_driver.hpp"
#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::test;
using journal::SqliteJournal;
using store::Failure;
using store::JournalState;

namespace {

namespace fs = std::filesystem;

transcript::Ending ending(std::vector<transcript::Turn> turns) {
  transcript::Ending made;
  made.reason = transcript::CloseReason::storage_failure;
  made.ended_at = 9;
  made.transcript.turns = std::move(turns);
  return made;
}

std::string text_in(const fs::path& file, const std::string& session = "s1") {
  const auto view = rows::TranscriptStore(file).transcript(session);
  REQUIRE(view);
  return view->turns.empty() ? "" : view->turns.at(0).text.utf8();
}

/// A journal with one attempt, and the words "kept, " durable in it.
struct Begun {
  explicit Begun(journal::JournalOptions options) : journal(std::move(options), watch) {
    attempt = open_attempt(journal, usual_spec()).attempt.attempt;
    journal.append(attempt, 1, placed("i1", transcript::Role::assistant));
    REQUIRE(watch.wait_durable(say("kept, ")));
  }
  transcript::Sequence say(const std::string& text) {
    return journal.append(attempt, 2, delta("i1", text));
  }
  JournalWatch watch;
  SqliteJournal journal;
  transcript::AttemptId attempt = 0;
};

/// Copies the data folder as a crash at this moment would leave it.
void copy_folder(const fs::path& from, const fs::path& to) {
  fs::create_directory(to);
  for (const auto& entry : fs::directory_iterator(from))
    if (entry.is_regular_file()) fs::copy_file(entry.path(), to / entry.path().filename());
}

}  // namespace

TEST_CASE("a disk that stays full ends the waiting, keeps the words and recovers by itself",
          "[P6][trouble]") {
  FaultVfs disk;
  const TempDir dir;
  {
    Begun it({.file = dir / "v.db", .full_retry_ms = 20});
    disk.fill_disk(true);
    const auto held = it.say("and held");
    REQUIRE(it.watch.wait_state(JournalState::unavailable));
    CHECK(it.watch.states().front() == JournalState::stalled);
    CHECK_THAT(it.watch.reasons().back(), Catch::Contains("free some space"));
    CHECK(it.journal.failed());
    CHECK(it.journal.durable() < held);

    // A request would wait too long, so it is refused; an ending is held with the rest.
    const auto refused = execute(it.journal, [](sqlite::Database&) {});
    REQUIRE(refused);
    CHECK(refused->failure() == Failure::disk_full);
    CHECK(open_attempt(it.journal, {.session_id = "s2", .user = "ann", .model = "m"}).error);
    const auto closed = it.journal.close(it.attempt, ending({turn(1, "i1", "kept, and held")}));
    REQUIRE(closed > held);

    disk.fill_disk(false);
    REQUIRE(it.watch.wait_state(JournalState::working));
    REQUIRE(it.watch.wait_durable(closed));
    CHECK_FALSE(it.journal.failed());
    CHECK(it.watch.failures().empty());
    CHECK_FALSE(execute(it.journal, [](sqlite::Database&) {}));
  }
  CHECK(maintenance::recover(dir / "v.db", 1).clean);
  const auto view = rows::TranscriptStore(dir / "v.db").transcript("s1");
  REQUIRE(view);
  CHECK(view->turns.at(0).text.utf8() == "kept, and held");
  CHECK(view->close_reason == transcript::CloseReason::storage_failure);
}

TEST_CASE("a request that waits when the disk has been full for too long is answered",
          "[P6][trouble]") {
  FaultVfs disk;
  const TempDir dir;
  Begun it({.file = dir / "v.db", .full_retry_ms = 20});
  disk.fill_disk(true);
  it.say("held");
  const auto refused = execute(it.journal, [](sqlite::Database&) {});
  REQUIRE(refused);
  CHECK(refused->failure() == Failure::disk_full);
  disk.fill_disk(false);
  REQUIRE(it.watch.wait_durable(it.say(" too")));
  CHECK(text_in(dir / "v.db") == "kept, held too");
}

TEST_CASE("the journal waits for a database that another process locks, and recovers",
          "[P6][trouble]") {
  const TempDir dir;
  Begun it({.file = dir / "v.db", .busy_timeout_ms = 5, .full_retry_ms = 20});
  sqlite::Database other(dir / "v.db");
  other.run("BEGIN IMMEDIATE");
  const auto held = it.say("and held");
  REQUIRE(it.watch.wait_state(JournalState::unavailable));
  CHECK_THAT(it.watch.reasons().back(), Catch::Contains("other process"));
  other.run("ROLLBACK");
  REQUIRE(it.watch.wait_state(JournalState::working));
  CHECK(it.journal.durable() >= held);
  CHECK(text_in(dir / "v.db") == "kept, and held");
}

TEST_CASE("the ballast is removed before any session waits", "[P6][trouble]") {
  const TempDir dir;
  const fs::path mounted = dir / "small";
  fs::create_directory(mounted);
  if (::mount("tmpfs", mounted.c_str(), "tmpfs", 0, "size=2m") != 0) {
    WARN("skipped: this process may not mount a file system");
    return;
  }
  {
    std::ofstream(mounted / "ballast") << std::string(512 << 10, 'b');
    Begun it({.file = mounted / "v.db", .full_retry_ms = 60000, .ballast = mounted / "ballast"});
    std::ofstream(mounted / "filler") << std::string(4 << 20, 'f');
    transcript::Sequence last = 0;
    // More rows than fit into the space that the WAL has already, but few: each may be a commit of
    // its own, and all must fit into the ballast's space.
    it.say(std::string(300 << 10, '.'));
    for (int i = 0; i < 20; ++i) last = it.say(std::to_string(i) + " ");
    REQUIRE(it.watch.wait_durable(last));
    REQUIRE(it.watch.wait_state(JournalState::working));  // reported after the commit that recovers
    CHECK_FALSE(fs::exists(mounted / "ballast"));
    CHECK(it.watch.states() == std::vector{JournalState::stalled, JournalState::working});
  }
  CHECK(::umount(mounted.c_str()) == 0);
}

TEST_CASE("a commit that does not come back is a stall, then a failure", "[P6][trouble]") {
  FaultVfs disk;
  const TempDir dir;
  {
    Begun it({.file = dir / "v.db", .slow_commit_ms = 0, .stuck_commit_ms = 10000});
    disk.hold_log_sync(true);
    const auto held = it.say("perhaps");
    // The commit before it may be a stall as well, for a moment.
    while (!disk.log_sync_waits() || it.journal.state() != JournalState::stalled)
      std::this_thread::yield();
    const auto now = std::chrono::steady_clock::now();
    it.journal.check(now);
    CHECK_FALSE(it.journal.failed());
    it.journal.check(now + std::chrono::seconds(13));
    CHECK(it.journal.failed());
    CHECK(it.journal.stuck());
    CHECK(it.journal.state() == JournalState::failed);
    CHECK(it.journal.append(it.attempt, 3, delta("i1", "no")) == 0);
    disk.hold_log_sync(false);
    it.journal.check(now + std::chrono::seconds(14));
    REQUIRE(it.watch.failures().size() == 1);
    CHECK(it.watch.failures()[0].first == Failure::io_error);
    CHECK(it.journal.durable() < held);
  }
  // It was never reported durable: it may be there or not.
  copy_folder(dir.path(), dir / "copy");
  maintenance::recover(dir / "copy" / "v.db", 1);
  CHECK_THAT(text_in(dir / "copy" / "v.db"), Catch::StartsWith("kept, "));
}

TEST_CASE("shutting down waits for the disk only so long", "[P2][P6][trouble]") {
  FaultVfs disk;
  const TempDir dir;
  Begun it({.file = dir / "v.db"});
  disk.hold_log_sync(true);
  it.say("and the rest");
  CHECK_FALSE(it.journal.shut_down(std::chrono::milliseconds(1)));
  disk.hold_log_sync(false);
  CHECK(it.journal.shut_down(patience));
  CHECK(it.journal.append(it.attempt, 3, delta("i1", "no")) == 0);
  CHECK(text_in(dir / "v.db") == "kept, and the rest");
}

TEST_CASE("rows commit while a checkpoint hangs; if it hangs too long, the journal fails",
          "[P6][trouble]") {
  FaultVfs disk;
  const TempDir dir;
  Begun it({.file = dir / "v.db", .slow_commit_ms = 3600 * 1000});
  disk.hold_database_sync(true);
  it.say("moved, ");
  CHECK(becomes([&] { return disk.database_sync_waits(); }));
  const auto last = it.say("and the rest");
  CHECK(it.watch.wait_durable(last));
  it.journal.check(std::chrono::steady_clock::now());
  CHECK(it.journal.state() == JournalState::working);
  it.journal.check(std::chrono::steady_clock::now() + std::chrono::seconds(13));
  CHECK(it.journal.stuck());
  CHECK(it.journal.durable() >= last);
  disk.hold_database_sync(false);
  REQUIRE(it.watch.failures().size() == 1);
  CHECK_THAT(it.watch.failures()[0].second, Catch::Contains("a checkpoint has taken more than"));
}

TEST_CASE("a hanging checkpoint of a large WAL is a failure as well", "[P6][trouble]") {
  FaultVfs disk;
  const TempDir dir;
  Begun it({.file = dir / "v.db", .wal_checkpoint_bytes = 1});
  disk.hold_database_sync(true);
  // The writer's checkpoint or the thread's; the first one counts.
  CHECK(becomes([&] { return it.say("more, ") == 0 || disk.database_sync_waits(); }));
  it.journal.check(std::chrono::steady_clock::now() + std::chrono::seconds(13));
  CHECK(it.journal.stuck());
  disk.hold_database_sync(false);
  REQUIRE(it.watch.failures().size() == 1);
}

TEST_CASE("an orderly end waits for a running checkpoint", "[P7][trouble]") {
  FaultVfs disk;
  const TempDir dir;
  {
    Begun it({.file = dir / "v.db"});
    disk.hold_database_sync(true);
    REQUIRE(it.watch.wait_durable(it.journal.close(it.attempt, ending({turn(1, "i1", "kept")}))));
    CHECK(becomes([&] { return disk.database_sync_waits(); }));
    CHECK_FALSE(it.journal.shut_down(std::chrono::milliseconds(1)));
    disk.hold_database_sync(false);
    CHECK(it.journal.shut_down(patience));
    CHECK(it.watch.failures().empty());
  }
  CHECK(maintenance::recover(dir / "v.db", 5).clean);
  CHECK_FALSE(fs::exists(dir / "v.db-wal"));
}

TEST_CASE("a checkpoint that fails in an idle journal is noticed, and the fallback is ready",
          "[P6][trouble]") {
  FaultVfs disk;
  const TempDir dir;
  const TempDir data;
  const TempDir other_disk;
  disk.confine(data.path().string());
  {
    Begun it({.file = data / "v.db", .fallback_dir = other_disk.path()});
    disk.hold_database_sync(true);
    REQUIRE(it.watch.wait_durable(it.say("said, ")));
    CHECK(becomes([&] { return disk.database_sync_waits(); }));
    disk.fail_database_sync(1);
    disk.hold_database_sync(false);
    REQUIRE(it.watch.wait_state(JournalState::fallback));
    const auto writes = disk.writes();
    REQUIRE(it.watch.wait_durable(it.say("gone on")));
    CHECK(disk.writes() == writes);
  }
  copy_folder(data.path(), dir / "copy");
  maintenance::recover(dir / "copy" / "v.db", 7, false, other_disk.path());
  CHECK(text_in(dir / "copy" / "v.db") == "kept, said, gone on");
}

TEST_CASE("after a failed sync the journal goes on in the fallback directory", "[P6][trouble]") {
  FaultVfs disk;
  const TempDir dir;
  const TempDir data;
  const TempDir other_disk;
  disk.confine(data.path().string());
  const fs::path file = data / "v.db";
  {
    Begun it({.file = file, .fallback_dir = other_disk.path()});
    disk.fail_log_sync(1);
    REQUIRE(it.watch.wait_durable(it.say("rotated, ")));
    CHECK(it.journal.state() == JournalState::fallback);
    CHECK_FALSE(it.journal.failed());
    CHECK(it.watch.states() == std::vector{JournalState::fallback});
    const auto writes = disk.writes();
    REQUIRE(it.watch.wait_durable(it.say("gone on")));
    CHECK(open_attempt(it.journal, {.session_id = "s2", .user = "ann", .model = "m"}).error);
    CHECK(disk.writes() == writes);

    // A crash now: both files hold their part.
    copy_folder(data.path(), dir / "crashed");
    copy_folder(other_disk.path(), dir / "crashed-segment");
    const fs::path crashed = dir / "crashed" / "v.db";
    const auto seen = maintenance::recover(crashed, 5, true, dir / "crashed-segment");
    CHECK(seen.segment_events == 2);
    const auto report = maintenance::recover(crashed, 5, false, dir / "crashed-segment");
    CHECK(report.segment_events == 2);
    REQUIRE(report.attempts.size() == 1);
    CHECK(seen.attempts == report.attempts);
    CHECK(text_in(crashed) == "kept, rotated, gone on");
    CHECK_FALSE(fs::exists(journal::segment_in(dir / "crashed-segment")));
    CHECK(maintenance::recover(crashed, 6, false, dir / "crashed-segment").clean);

    const std::string all = "kept, rotated, gone on";
    REQUIRE(it.watch.wait_durable(it.journal.close(it.attempt, ending({turn(1, "i1", all)}))));
    CHECK(disk.writes() == writes);
  }
  CHECK(fs::exists(journal::segment_in(other_disk.path())));
  // The process that poisoned the file must not open it again: it reads a copy.
  copy_folder(data.path(), dir / "copy");
  const auto seen = maintenance::recover(dir / "copy" / "v.db", 7, true, other_disk.path());
  CHECK(seen.segment_endings == 1);
  CHECK(seen.attempts.empty());
  const auto report = maintenance::recover(dir / "copy" / "v.db", 7, false, other_disk.path());
  CHECK(report.segment_endings == 1);
  CHECK(report.attempts.empty());
  const auto view = rows::TranscriptStore(dir / "copy" / "v.db").transcript("s1");
  REQUIRE(view);
  CHECK(view->status == transcript::SessionStatus::final);
  CHECK(view->close_reason == transcript::CloseReason::storage_failure);
  CHECK(view->turns.at(0).text.utf8() == "kept, rotated, gone on");
}

TEST_CASE("a full disk is left for the fallback directory and returned to", "[P6][trouble]") {
  FaultVfs disk;
  const TempDir data;
  const TempDir other_disk;
  disk.confine(data.path().string());
  {
    Begun it({.file = data / "v.db", .full_retry_ms = 20, .fallback_dir = other_disk.path()});
    disk.fill_disk(true);
    REQUIRE(it.watch.wait_durable(it.say("elsewhere, ")));
    CHECK(it.journal.state() == JournalState::fallback);
    REQUIRE(execute(it.journal, [](sqlite::Database&) {}));
    disk.fill_disk(false);
    REQUIRE(it.watch.wait_state(JournalState::working));
    CHECK_FALSE(fs::exists(journal::segment_in(other_disk.path())));
    CHECK_FALSE(execute(it.journal, [](sqlite::Database&) {}));
    REQUIRE(it.watch.wait_durable(it.say("and home")));
    CHECK(text_in(data / "v.db") == "kept, elsewhere, and home");
  }
  const auto report = maintenance::recover(data / "v.db", 5, false, other_disk.path());
  CHECK(report.segment_events == 0);
  CHECK(text_in(data / "v.db") == "kept, elsewhere, and home");
}

TEST_CASE("stopping while the disk is full writes the held rows to the fallback directory",
          "[P2][P6][trouble]") {
  FaultVfs disk;
  const TempDir data;
  const TempDir other_disk;
  disk.confine(data.path().string());
  {
    Begun it({.file = data / "v.db", .full_retry_ms = 60000, .fallback_dir = other_disk.path()});
    disk.fill_disk(true);
    it.say("and held");
    REQUIRE(it.watch.wait_state(JournalState::stalled));
  }
  disk.fill_disk(false);
  maintenance::recover(data / "v.db", 5, false, other_disk.path());
  CHECK(text_in(data / "v.db") == "kept, and held");
}

TEST_CASE("an unusable fallback directory is reported with the first trouble", "[P6][trouble]") {
  FaultVfs disk;
  const TempDir data;
  Begun it({.file = data / "v.db", .fallback_dir = data / "not-there"});
  disk.fail_log_sync(1);
  it.say("perhaps");
  REQUIRE(it.watch.wait_failed());
  CHECK_THAT(it.watch.failures()[0].second,
             Catch::Contains("v.db") && Catch::Contains("fallback directory"));
}

TEST_CASE("a segment that a crash left without tables does not stop recovery", "[P7][trouble]") {
  const TempDir dir;
  const TempDir other_disk;
  { Begun it({.file = dir / "v.db"}); }
  std::ofstream(journal::segment_in(other_disk.path())).close();
  const auto report = maintenance::recover(dir / "v.db", 5, false, other_disk.path());
  CHECK(report.segment_events == 0);
  CHECK(text_in(dir / "v.db") == "kept, ");
  CHECK_FALSE(fs::exists(journal::segment_in(other_disk.path())));
}

TEST_CASE("a segment of another database is refused and kept", "[P7][trouble]") {
  FaultVfs disk;
  const TempDir data;
  const TempDir other_disk;
  const TempDir elsewhere;
  disk.confine(data.path().string());
  {
    Begun it({.file = data / "v.db", .fallback_dir = other_disk.path()});
    disk.fail_log_sync(1);
    REQUIRE(it.watch.wait_durable(it.say("rotated")));
  }
  {
    JournalWatch watch;
    SqliteJournal journal({.file = elsewhere / "v.db"}, watch);
    open_attempt(journal, {.session_id = "another", .user = "bob", .model = "m", .now = 1});
  }
  CHECK_THROWS_WITH(maintenance::recover(elsewhere / "v.db", 5, false, other_disk.path()),
                    Catch::Contains("does not belong"));
  CHECK(fs::exists(journal::segment_in(other_disk.path())));
  CHECK_THROWS_WITH(maintenance::recover(elsewhere / "none.db", 5, false, other_disk.path()),
                    Catch::Contains("continues it"));
}

TEST_CASE("the end of an attempt is accepted even if the queue is full", "[P2][P6][trouble]") {
  FaultVfs disk;
  const TempDir dir;
  Begun it({.file = dir / "v.db", .queue_bytes_max = 64 * 1024});
  disk.hold_log_sync(true);
  const std::string much(1000, 'x');
  while (it.say(much) != 0) {
  }
  const auto closed = it.journal.close(it.attempt, ending({turn(1, "i1", much)}));
  REQUIRE(closed != 0);
  disk.hold_log_sync(false);
  REQUIRE(it.watch.wait_durable(closed));
  CHECK(rows::TranscriptStore(dir / "v.db").transcript("s1")->status ==
        transcript::SessionStatus::final);
}

TEST_CASE("a session woken by the watermark finds the space that the commit freed",
          "[P6][P11][trouble]") {
  /// Checks the queue once at each watermark, as a session that stopped reading does.
  struct Looker final : store::JournalListener {
    void on_durable(transcript::Sequence up_to) override {
      const SqliteJournal* const asked = journal.load();
      const bool crowded = asked != nullptr && asked->crowded();
      const std::lock_guard lock(mutex);
      crowded_at_last = crowded;
      last = up_to;
      moved.notify_all();
    }
    void on_failed(Failure, const std::string&) override {}
    std::mutex mutex;
    std::condition_variable moved;
    transcript::Sequence last = 0;
    bool crowded_at_last = false;
    std::atomic<SqliteJournal*> journal{nullptr};
  };
  FaultVfs disk;
  const TempDir dir;
  Looker looker;
  SqliteJournal journal({.file = dir / "v.db", .queue_bytes_max = 64 * 1024}, looker);
  looker.journal = &journal;
  const auto attempt = open_attempt(journal, usual_spec()).attempt.attempt;
  disk.hold_log_sync(true);
  transcript::Sequence last = 0;
  while (!journal.crowded()) last = journal.append(attempt, 1, delta("i1", std::string(500, 'x')));
  disk.hold_log_sync(false);
  std::unique_lock lock(looker.mutex);
  REQUIRE(looker.moved.wait_for(lock, patience, [&] { return looker.last >= last; }));
  CHECK_FALSE(looker.crowded_at_last);
}

TEST_CASE("a reader that holds the WAL open costs the journal only disk space", "[P6][trouble]") {
  const TempDir dir;
  Begun it({.file = dir / "v.db", .wal_checkpoint_bytes = 64 * 1024});
  sqlite::Database reader(dir / "v.db", {.access = sqlite::Access::read_only});
  reader.run("BEGIN");
  CHECK(reader.query("SELECT count(*) FROM journal").step());
  const std::string page(4000, 'x');
  transcript::Sequence last = 0;
  for (int i = 0; i < 200; ++i) last = it.say(page);
  REQUIRE(it.watch.wait_durable(last));
  CHECK(it.journal.log_bytes() > 4 * 64 * 1024);
  CHECK(it.watch.states().empty());
  reader.run("COMMIT");
  // Without the reader a checkpoint empties the WAL, and it is restarted.
  while (it.journal.log_bytes() > 4 * 64 * 1024) REQUIRE(it.watch.wait_durable(it.say("y")));
  CHECK(it.watch.failures().empty());
}
