// A start on a full disk: stored sessions can be read, and the journal begins when there is space.
#include <sys/mount.h>
#include <sys/statvfs.h>

#include <atomic>
#include <functional>

#include <catch2/catch.hpp>

#include "storage/maintenance/recovery.hpp"
#include "tests/support/fault_vfs.hpp"
#include "tests/support/store_folder.hpp"

using namespace verbatim;
using namespace verbatim::test;
using journal::SqliteJournal;
using store::Failure;
using store::JournalState;

namespace {

namespace fs = std::filesystem;

const store::StorageError full(Failure::disk_full, "v.db: no room");

journal::JournalOptions without(const fs::path& file, std::function<void()> prepare) {
  journal::JournalOptions options;
  options.file = file;
  options.begin_without = full;
  options.prepare = std::move(prepare);
  return options;
}

}  // namespace

TEST_CASE("a journal that begins on a full disk takes nothing until there is room",
          "[P6][P7][held_start]") {
  const TempDir dir;
  const fs::path file = dir / "v.db";
  leave_killed_store(file);
  std::atomic<bool> room{false};
  std::atomic<int> tries{0};
  JournalWatch watch;
  SqliteJournal journal(without(file,
                                [&] {
                                  ++tries;
                                  if (!room) throw store::StorageError(full);
                                  maintenance::recover(file, 9);
                                }),
                        watch);
  CHECK(journal.state() == JournalState::unavailable);
  CHECK(journal.failed());
  CHECK(journal.durable() == 0);
  CHECK(journal.append(1, 1, delta("i1", "lost?")) == 0);
  CHECK(journal.close(1, {}) == 0);
  const auto refused = execute(journal, [](sqlite::Database&) {});
  REQUIRE(refused);
  CHECK(refused->failure() == Failure::disk_full);
  CHECK(open_attempt(journal, {.session_id = "s2", .user = "ann", .model = "m"}).error);
  // Stored sessions can be read meanwhile.
  CHECK(rows::TranscriptStore(file).transcript("s1")->turns.size() == 1);
  REQUIRE(becomes([&] { return tries >= 2; }));
  CHECK(journal.state() == JournalState::unavailable);

  room = true;
  REQUIRE(watch.wait_state(JournalState::working));
  CHECK(journal.state() == JournalState::working);
  CHECK_FALSE(journal.failed());
  CHECK(rows::TranscriptStore(file).session("s1")->status == transcript::SessionStatus::final);
  const auto opened = open_attempt(journal, {.session_id = "s2", .user = "ann", .model = "m"});
  REQUIRE_FALSE(opened.error);
  REQUIRE(watch.wait_durable(journal.append(opened.attempt.attempt, 1, delta("i1", "said"))));
  // No sequence number is used twice.
  CHECK(journal.durable() > 13);
}

TEST_CASE("a journal that still waits for room can be stopped", "[P6][held_start]") {
  const TempDir dir;
  const fs::path file = dir / "v.db";
  leave_killed_store(file);
  JournalWatch watch;
  SqliteJournal journal(without(file, [] { throw store::StorageError(full); }), watch);
  CHECK(journal.shut_down(patience));
}

TEST_CASE("a store that turns out to be damaged ends the waiting for room", "[P6][held_start]") {
  const TempDir dir;
  const fs::path file = dir / "v.db";
  leave_killed_store(file);
  JournalWatch watch;
  SqliteJournal journal(
      without(file, [] { throw store::StorageError(Failure::corrupt, "v.db: damaged"); }), watch);
  REQUIRE(watch.wait_failed());
  CHECK(journal.state() == JournalState::failed);
  CHECK(watch.failures().at(0).first == Failure::corrupt);
}

TEST_CASE("a store on a disk without a byte of room can be read", "[P6][P7][held_start]") {
  const TempDir dir;
  const fs::path disk = dir / "disk";
  fs::create_directory(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=2m") != 0) {
    WARN("skipped: this process may not mount a file system");
    return;
  }
  const fs::path file = disk / "v.db";
  SECTION("as a kill left it") { leave_killed_store(file); }
  SECTION("as a kill left it, without its index") {
    leave_killed_store(file);
    fs::remove(sqlite::index_of(file));
  }
  SECTION("closed in order") {
    leave_killed_store(file);
    maintenance::recover(file, 9);
  }
  {
    std::ofstream filler(disk / "filler", std::ios::binary);
    while (filler.write(std::string(4096, 'x').data(), 4096).flush()) {
    }
  }
  std::string said;
  std::size_t words = 0;
  try {
    const auto view = rows::TranscriptStore(file).transcript("s1");
    words = view ? view->turns.at(0).text.utf8().size() : 0;
  } catch (const store::StorageError& error) {
    said = error.what();
  }
  ::umount(disk.c_str());
  CHECK(said == "");
  CHECK(words > 12 * 6);
}
