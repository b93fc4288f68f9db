// The journal when disk operations fail.
#include <sys/mount.h>

#include <fstream>

#include <catch2/catch.hpp>

#include "storage/journal/sqlite_journal.hpp"
#include "storage/maintenance/recovery.hpp"
#include "storage/rows/transcript_store.hpp"
#include "storage/sqlite/database.hpp"
#include "tests/support/fault_vfs.hpp"
#include "tests/support/journal_driver.hpp"
#include "tests/support/store_folder.hpp"

using namespace verbatim;
using namespace verbatim::test;
using journal::SqliteJournal;
using store::Failure;

namespace {

namespace fs = std::filesystem;

/// The text that a restart finds, read from a copy: the poisoned file is never opened again.
std::string recovered_text(const fs::path& file, const fs::path& copy) {
  fs::copy_file(file, copy);
  if (fs::exists(file.string() + "-wal"))
    fs::copy_file(file.string() + "-wal", copy.string() + "-wal");
  maintenance::recover(copy, 1);
  const auto view = rows::TranscriptStore(copy).transcript("s1");
  REQUIRE(view);
  return view->turns.empty() ? "" : view->turns.at(0).text.utf8();
}

/// Checks, at each watermark, whether the WAL was synced by then.
class SyncWatch final : public store::JournalListener {
 public:
  explicit SyncWatch(const FaultVfs& disk) : disk_(disk) {}
  void on_durable(transcript::Sequence up_to) override {
    if (disk_.log_unsynced()) ++unsynced;
    inner.on_durable(up_to);
  }
  void on_failed(Failure failure, const std::string& message) override {
    inner.on_failed(failure, message);
  }
  JournalWatch inner;
  std::atomic<int> unsynced{0};

 private:
  const FaultVfs& disk_;
};

int unsynced_watermarks(sqlite::Durability durability) {
  const TempDir dir;
  const FaultVfs disk;
  SyncWatch watch(disk);
  SqliteJournal journal({.file = dir / "v.db", .durability = durability}, watch);
  const auto attempt = open_attempt(journal, usual_spec()).attempt.attempt;
  for (int i = 0; i < 20; ++i)
    REQUIRE(watch.inner.wait_durable(journal.append(attempt, i, delta("i1", "x"))));
  if (durability == sqlite::Durability::power) CHECK(disk.log_syncs() >= 20);
  return watch.unsynced;
}

void check_poisoned(FaultVfs& disk, const std::function<void(FaultVfs&)>& arm,
                    journal::JournalOptions options) {
  const TempDir dir;
  options.file = dir / "v.db";
  JournalWatch watch;
  std::string log_after;
  std::string file_after;
  std::uint64_t writes_after = 0;
  {
    SqliteJournal journal(options, watch);
    const auto attempt = open_attempt(journal, usual_spec()).attempt.attempt;
    journal.append(attempt, 1, placed("i1", transcript::Role::assistant));
    REQUIRE(watch.wait_durable(journal.append(attempt, 2, delta("i1", "kept"))));
    arm(disk);
    journal.append(attempt, 3, delta("i1", ", perhaps"));
    REQUIRE(watch.wait_failed());
    CHECK(journal.failed());

    log_after = bytes_of(dir / "v.db-wal");
    file_after = bytes_of(dir / "v.db");
    writes_after = disk.writes();
    CHECK(journal.append(attempt, 4, delta("i1", "no")) == 0);
    CHECK(journal.settle(attempt, turn(1, "i1", "no")) == 0);
    CHECK(journal.close(attempt, {}) == 0);
    const auto refused = execute(journal, [](sqlite::Database&) {});
    REQUIRE(refused);
    CHECK(refused->failure() == Failure::io_error);
    CHECK(open_attempt(journal, usual_spec()).error);
  }
  REQUIRE(watch.failures().size() == 1);
  CHECK(watch.failures()[0].first == Failure::io_error);
  CHECK_THAT(watch.failures()[0].second, Catch::Contains("v.db"));
  CHECK(disk.writes() == writes_after);
  CHECK(bytes_of(dir / "v.db-wal") == log_after);
  CHECK(bytes_of(dir / "v.db") == file_after);
  // The failed row may be there or not; every acknowledged row must be.
  CHECK_THAT(recovered_text(dir / "v.db", dir / "copy.db"), Catch::StartsWith("kept"));
}

}  // namespace

TEST_CASE("with durability power the WAL is synced before the watermark moves", "[P1][faults]") {
  CHECK(unsynced_watermarks(sqlite::Durability::power) == 0);
  // The same check fails where no sync is asked for.
  CHECK(unsynced_watermarks(sqlite::Durability::process) > 0);
}

TEST_CASE("after a failed sync not a byte is written to the file", "[P6][faults]") {
  FaultVfs disk;
  check_poisoned(disk, [](FaultVfs& vfs) { vfs.fail_log_sync(1); }, {});
}

TEST_CASE("after a failed write not a byte is written to the file", "[P6][faults]") {
  FaultVfs disk;
  check_poisoned(disk, [](FaultVfs& vfs) { vfs.fail_log_write(1); }, {});
}

TEST_CASE("a checkpoint that cannot sync poisons the file as well", "[P6][faults]") {
  FaultVfs disk;
  check_poisoned(disk, [](FaultVfs& vfs) { vfs.fail_database_sync(1); },
                 {.wal_checkpoint_bytes = 1});
}

TEST_CASE("a checkpoint beside the writer that cannot sync poisons the file as well",
          "[P6][faults]") {
  FaultVfs disk;
  check_poisoned(disk, [](FaultVfs& vfs) { vfs.fail_database_sync(1); }, {});
}

TEST_CASE("a checkpoint beside the writer that cannot write poisons the file as well",
          "[P6][faults]") {
  FaultVfs disk;
  check_poisoned(disk, [](FaultVfs& vfs) { vfs.fail_database_write(1); }, {});
}

TEST_CASE("a commit is not reported durable if a checkpoint fails while it runs",
          "[P1][P6][faults]") {
  FaultVfs disk;
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db", .slow_commit_ms = 3600 * 1000}, watch);
  const auto attempt = open_attempt(journal, usual_spec()).attempt.attempt;
  // Held before the WAL's sync, so that the commit is surely running when the checkpoint fails.
  disk.hold_database_sync(true);
  REQUIRE(watch.wait_durable(journal.append(attempt, 1, delta("i1", "kept"))));
  CHECK(becomes([&] { return disk.database_sync_waits(); }));
  disk.fail_database_sync(1);
  disk.hold_log_sync(true);
  const auto held = journal.append(attempt, 2, delta("i1", ", perhaps"));
  CHECK(becomes([&] { return disk.log_sync_waits(); }));
  disk.hold_database_sync(false);
  CHECK(becomes([&] { return journal.state() == store::JournalState::stalled; }));
  disk.hold_log_sync(false);
  REQUIRE(watch.wait_failed());
  CHECK(journal.durable() < held);
  CHECK(watch.failures().at(0).first == Failure::io_error);
}

TEST_CASE("only commits sync the WAL, so that only they can get its sync error", "[P1][faults]") {
  FaultVfs disk;
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  const auto attempt = open_attempt(journal, usual_spec()).attempt.attempt;
  REQUIRE(watch.wait_durable(journal.append(attempt, 1, delta("i1", "x"))));
  const auto syncs = disk.log_syncs();
  const auto before = disk.database_syncs();
  CHECK(becomes([&] { return disk.database_syncs() > before; }));
  CHECK(disk.log_syncs() == syncs);
}

TEST_CASE("with durability process a checkpoint syncs the WAL before it moves pages", "[faults]") {
  FaultVfs disk;
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db", .durability = sqlite::Durability::process}, watch);
  const auto attempt = open_attempt(journal, usual_spec()).attempt.attempt;
  REQUIRE(watch.wait_durable(journal.append(attempt, 1, delta("i1", "x"))));
  const auto before = disk.database_syncs();
  CHECK(becomes([&] { return disk.database_syncs() > before; }));
  CHECK_FALSE(disk.log_unsynced());
}

TEST_CASE("a change that meets a failing disk makes the journal fail", "[P6][faults]") {
  FaultVfs disk;
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  const auto error = execute(journal, [](sqlite::Database&) {
    throw store::StorageError(Failure::io_error, "read failed");
  });
  REQUIRE(error);
  CHECK(error->failure() == Failure::io_error);
  CHECK(watch.wait_failed());
  CHECK(journal.failed());
}

TEST_CASE("the journal waits for a full disk and recovers without losing or repeating a row",
          "[P6][faults]") {
  FaultVfs disk;
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db", .full_retry_ms = 60000}, watch);
  const auto attempt = open_attempt(journal, usual_spec()).attempt.attempt;
  journal.append(attempt, 1, placed("i1", transcript::Role::assistant));
  REQUIRE(watch.wait_durable(journal.append(attempt, 2, delta("i1", "a"))));
  std::promise<void> met;
  std::atomic<int> tries{0};
  disk.fill_disk(true);
  const auto before = journal.append(attempt, 3, delta("i1", "b"));
  journal.execute(
      [&](sqlite::Database& database) {
        if (++tries == 1) met.set_value();
        database.run("UPDATE session SET metadata = '{\"tried\":\"yes\"}'");
      },
      [](const store::StorageError*) {});
  met.get_future().wait();
  const auto after = journal.append(attempt, 4, delta("i1", "c"));
  CHECK(journal.durable() < before);
  CHECK_FALSE(journal.failed());
  disk.fill_disk(false);
  REQUIRE(watch.wait_durable(after));
  CHECK(rows::TranscriptStore(dir / "v.db").transcript("s1")->turns.at(0).text.utf8() == "abc");
}

TEST_CASE("waiting for a full disk ends when the journal is destroyed", "[P6][faults]") {
  FaultVfs disk;
  const TempDir dir;
  JournalWatch watch;
  {
    SqliteJournal journal({.file = dir / "v.db", .full_retry_ms = 3600 * 1000}, watch);
    const auto attempt = open_attempt(journal, usual_spec()).attempt.attempt;
    disk.fill_disk(true);
    journal.append(attempt, 1, delta("i1", "x"));
  }  // the wait would take an hour if it were not interrupted
  REQUIRE(watch.failures().size() == 1);
  CHECK(watch.failures()[0].first == Failure::disk_full);
}

TEST_CASE("the journal waits for a really full file system and recovers", "[P6][faults]") {
  const TempDir dir;
  const fs::path mounted = dir / "small";
  fs::create_directory(mounted);
  if (::mount("tmpfs", mounted.c_str(), "tmpfs", 0, "size=2m") != 0) {
    WARN("skipped: this process may not mount a file system");
    return;
  }
  {
    JournalWatch watch;
    SqliteJournal journal({.file = mounted / "v.db", .full_retry_ms = 60000}, watch);
    const auto attempt = open_attempt(journal, usual_spec()).attempt.attempt;
    journal.append(attempt, 1, placed("i1", transcript::Role::assistant));
    REQUIRE(watch.wait_durable(journal.append(attempt, 2, delta("i1", "0 "))));
    std::ofstream(mounted / "filler") << std::string(4 << 20, 'f');
    std::string expected = "0 ";
    transcript::Sequence last = 0;
    for (int i = 1; i <= 400; ++i) {
      const std::string text = std::to_string(i) + " ";
      expected += text;
      last = journal.append(attempt, 2 + i, delta("i1", text));
    }
    CHECK(journal.durable() < last);
    fs::remove(mounted / "filler");
    CHECK(watch.wait_durable(last));
    CHECK(rows::TranscriptStore(mounted / "v.db").transcript("s1")->turns.at(0).text.utf8() ==
          expected);
  }
  CHECK(::umount(mounted.c_str()) == 0);
}
