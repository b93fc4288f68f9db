// Files that are removed, replaced or renamed under an open journal: the journal must fail, because
// SQLite does not notice, and the next start would not find what it commits.
#include <sys/mount.h>

#include <functional>

#include <catch2/catch.hpp>

#include "storage/journal/segment.hpp"
#include "storage/maintenance/recovery.hpp"
#include "tests/support/store_folder.hpp"

using namespace verbatim;
using namespace verbatim::test;
using journal::SqliteJournal;
using store::Failure;
using store::JournalState;

namespace {

namespace fs = std::filesystem;

struct Way {
  const char* name;
  std::function<void(const fs::path& folder)> take;
  bool comes_back = false;  ///< moved, so that it can be put back
};

void replace(const fs::path& file) {
  const fs::path copy = file.string() + ".copy";
  fs::copy_file(file, copy);
  fs::rename(copy, file);
}

const std::vector<Way> ways = {
    {"the database is removed", [](const fs::path& f) { fs::remove(f / "v.db"); }},
    {"its log is removed", [](const fs::path& f) { fs::remove(f / "v.db-wal"); }},
    {"its index is removed", [](const fs::path& f) { fs::remove(f / "v.db-shm"); }},
    {"the folder is removed", [](const fs::path& f) { fs::remove_all(f); }},
    {"the database is renamed", [](const fs::path& f) { fs::rename(f / "v.db", f / "old.db"); }},
    {"the log is renamed", [](const fs::path& f) { fs::rename(f / "v.db-wal", f / "old-wal"); }},
    {"the folder is renamed", [](const fs::path& f) { fs::rename(f, f.string() + ".away"); }, true},
    {"the database is replaced by its copy", [](const fs::path& f) { replace(f / "v.db"); }},
    {"the log is replaced by its copy", [](const fs::path& f) { replace(f / "v.db-wal"); }},
    {"the folder is replaced by its copy",
     [](const fs::path& f) {
       fs::copy(f, f.string() + ".copy", fs::copy_options::recursive);
       fs::rename(f, f.string() + ".away");
       fs::rename(f.string() + ".copy", f);
     }},
    {"a file stands in the folder's place",
     [](const fs::path& f) {
       fs::rename(f, f.string() + ".away");
       put_bytes(f, "");
     }},
};

/// A journal in a folder of its own, with "kept " durable in it.
struct BegunInFolder {
  explicit BegunInFolder(const TempDir& dir, const fs::path& fallback = {})
      : folder(dir / "data"),
        file((fs::create_directory(folder), folder / "v.db")),
        journal({.file = file, .fallback_dir = fallback}, watch) {
    attempt = open_attempt(journal, {.session_id = "s1", .user = "ann", .model = "m", .now = 1})
                  .attempt.attempt;
    journal.append(attempt, 1, placed("i1", transcript::Role::assistant));
    REQUIRE(watch.wait_durable(say("kept ")));
  }
  transcript::Sequence say(const std::string& text) {
    return journal.append(attempt, 2, delta("i1", text));
  }
  fs::path folder;
  fs::path file;
  JournalWatch watch;
  SqliteJournal journal;
  transcript::AttemptId attempt = 0;
};

}  // namespace

TEST_CASE("a commit into files that were taken away is not reported durable",
          "[P1][P6][taken_away]") {
  for (const Way& way : ways) {
    DYNAMIC_SECTION(way.name) {
      const TempDir dir;
      BegunInFolder it(dir);
      const auto before = it.journal.durable();
      way.take(it.folder);
      const auto lost = it.say("lost");
      REQUIRE(it.watch.wait_failed());
      CHECK(it.journal.durable() < lost);
      CHECK(it.journal.durable() == before);
      CHECK(it.journal.failed());
      CHECK(it.watch.failures().at(0).first == Failure::taken_away);
      CHECK_THAT(it.watch.failures().at(0).second,
                 Catch::Contains("while in use") && Catch::Contains("put it back"));
    }
  }
}

TEST_CASE("an idle journal notices as well that its files were taken away", "[P6][taken_away]") {
  for (const Way& way : ways) {
    DYNAMIC_SECTION(way.name) {
      const TempDir dir;
      BegunInFolder it(dir);
      it.journal.check(std::chrono::steady_clock::now());
      CHECK(it.journal.state() == JournalState::working);
      way.take(it.folder);
      it.journal.check(std::chrono::steady_clock::now());
      CHECK(it.journal.state() != JournalState::working);
      REQUIRE(it.watch.wait_failed());
      CHECK(it.journal.state() == JournalState::failed);
    }
  }
}

TEST_CASE("conversations go on in the fallback directory when the journal was taken away",
          "[P1][P6][taken_away]") {
  for (const Way& way : ways) {
    DYNAMIC_SECTION(way.name) {
      const TempDir dir;
      const TempDir fallback;
      {
        BegunInFolder it(dir, fallback.path());
        way.take(it.folder);
        const auto said = it.say("and on");
        REQUIRE(it.watch.wait_state(JournalState::fallback));
        REQUIRE(it.watch.wait_durable(said));
        CHECK(it.journal.state() == JournalState::fallback);
      }
      if (!way.comes_back) continue;
      fs::rename(dir / "data.away", dir / "data");
      const auto report = maintenance::recover(dir / "data/v.db", 9, false, fallback.path());
      CHECK(report.segment_events > 0);
      const auto view = rows::TranscriptStore(dir / "data/v.db").transcript("s1");
      REQUIRE(view);
      CHECK(view->turns.at(0).text.utf8() == "kept and on");
    }
  }
}

TEST_CASE("a segment that is taken away ends the journal", "[P6][taken_away]") {
  const TempDir dir;
  const TempDir fallback;
  BegunInFolder it(dir, fallback.path());
  fs::remove(it.file);
  REQUIRE(it.watch.wait_durable(it.say("on ")));
  fs::remove(journal::segment_in(fallback.path()));
  SECTION("while it is written") { it.say("lost"); }
  SECTION("while it is idle") { it.journal.check(std::chrono::steady_clock::now()); }
  REQUIRE(it.watch.wait_failed());
  CHECK(it.watch.failures().at(0).first == Failure::taken_away);
}

TEST_CASE("another file system mounted over the folder takes the journal away",
          "[P6][taken_away]") {
  const TempDir dir;
  BegunInFolder it(dir);
  if (::mount("tmpfs", it.folder.c_str(), "tmpfs", 0, "size=1m") != 0) {
    WARN("skipped: this process may not mount a file system");
    return;
  }
  const auto lost = it.say("lost");
  const bool failed = it.watch.wait_failed();
  ::umount(it.folder.c_str());
  REQUIRE(failed);
  CHECK(it.journal.durable() < lost);
}

TEST_CASE("changes that leave the files in place cause no trouble", "[P6][taken_away]") {
  const TempDir dir;
  BegunInFolder it(dir);
  SECTION("a second name") { fs::create_hard_link(it.file, it.folder / "second.db"); }
  SECTION("other files beside them") { put_bytes(it.folder / "other", "x"); }
  SECTION("a reader that comes and goes") {
    CHECK(rows::TranscriptStore(it.file).transcript("s1"));
  }
  SECTION("the WAL is emptied") {
    sqlite::Database other(it.file);
    CHECK(becomes([&] { return other.checkpoint(sqlite::Database::Checkpoint::truncate); }));
  }
  it.journal.check(std::chrono::steady_clock::now());
  REQUIRE(it.watch.wait_durable(it.say("more")));
  CHECK(it.journal.state() == JournalState::working);
}
