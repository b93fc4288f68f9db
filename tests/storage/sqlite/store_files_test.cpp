// A WAL without its database is the only copy of the last rows: no command or start may overwrite
// it.
#include "storage/sqlite/store_files.hpp"

#include <cstdlib>
#include <functional>

#include <catch2/catch.hpp>

#include "storage/journal/segment.hpp"
#include "storage/maintenance/backup.hpp"
#include "storage/maintenance/check.hpp"
#include "storage/maintenance/recovery.hpp"
#include "tests/support/store_folder.hpp"

using namespace verbatim;
using namespace verbatim::test;

namespace {

namespace fs = std::filesystem;

/// Opens the store in every way that a start or a command does; each checks the files first.
const std::vector<std::pair<const char*, std::function<void(const fs::path&)>>> openers = {
    {"recover", [](const fs::path& file) { maintenance::recover(file, 1); }},
    {"recover --dry-run", [](const fs::path& file) { maintenance::recover(file, 1, true); }},
    {"serve",
     [](const fs::path& file) {
       maintenance::require_whole_store(file, {});
       JournalWatch watch;
       journal::SqliteJournal journal({.file = file}, watch);
     }},
    {"check",
     [](const fs::path& file) {
       maintenance::require_whole_store(file, {});
       maintenance::check_file(file, false);
     }},
    {"check beside a server",
     [](const fs::path& file) {
       maintenance::require_whole_store(file, {});
       maintenance::check_file(file, true);
     }},
    {"backup",
     [](const fs::path& file) {
       maintenance::require_whole_store(file, {});
       const TempDir elsewhere;
       maintenance::back_up(file, elsewhere / "b.db");
     }},
    {"sessions list",
     [](const fs::path& file) {
       maintenance::require_whole_store(file, {});
       rows::TranscriptStore{file};
     }},
    {"sessions delete",
     [](const fs::path& file) {
       maintenance::require_whole_store(file, {});
       sqlite::Database{file};
     }},
};

/// Expects that all of them refuse the store with these words and change nothing.
void all_refuse(const TempDir& dir, const fs::path& file, const std::vector<std::string>& words) {
  const FolderContent before = content_of(dir.path());
  for (const auto& [name, open] : openers) {
    INFO(name);
    std::string said;
    try {
      open(file);
    } catch (const store::StorageError& error) {
      said = error.what();
    }
    for (const std::string& word : words) CHECK_THAT(said, Catch::Contains(word));
    CHECK(changes(before, content_of(dir.path())) == "");
  }
}

std::string rollback_journal(std::uint32_t pages_before) {
  std::string header("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", 8);
  header += std::string(8, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) header += static_cast<char>(pages_before >> shift);
  return header + std::string(1004, '\0');
}

}  // namespace

TEST_CASE("a WAL whose database is missing or empty is refused by name and kept",
          "[P7][store_files]") {
  const TempDir dir;
  const fs::path file = dir / "v.db";
  leave_killed_store(file);
  const std::vector<std::string> words = {"v.db", "v.db-wal", "Nothing was changed", "restore"};
  SECTION("missing") {
    fs::remove(file);
    all_refuse(dir, file, words);
  }
  SECTION("missing, and the WAL has no bytes") {
    fs::remove(file);
    put_bytes(sqlite::log_of(file), "");
    all_refuse(dir, file, words);
  }
  SECTION("missing, and the WAL is a link to nowhere") {
    fs::remove(file);
    fs::remove(sqlite::log_of(file));
    fs::create_symlink("elsewhere", sqlite::log_of(file));
    all_refuse(dir, file, words);
  }
  SECTION("without a byte") {
    put_bytes(file, "");
    all_refuse(dir, file, words);
  }
  SECTION("without a byte, and the index is gone too") {
    put_bytes(file, "");
    fs::remove(sqlite::index_of(file));
    all_refuse(dir, file, words);
  }
  SECTION("cut off in its header") {
    fs::resize_file(file, 40);
    all_refuse(dir, file, words);
  }
  SECTION("its header is zeros") {
    std::string bytes = bytes_of(file);
    put_bytes(file, bytes.replace(0, 100, 100, '\0'));
    all_refuse(dir, file, words);
  }
  SECTION("all zeros") {
    put_bytes(file, std::string(bytes_of(file).size(), '\0'));
    all_refuse(dir, file, words);
  }
}

TEST_CASE("a rollback journal whose database is missing or empty is refused", "[P7][store_files]") {
  const TempDir dir;
  const fs::path file = dir / "v.db";
  put_bytes(sqlite::rollback_journal_of(file), rollback_journal(7));
  SECTION("missing") {}
  SECTION("empty") { put_bytes(file, ""); }
  all_refuse(dir, file, {"v.db", "v.db-journal", "Nothing was changed"});
}

TEST_CASE("a start that was cut off while it made the database begins again", "[P7][store_files]") {
  const TempDir dir;
  const fs::path file = dir / "v.db";
  put_bytes(file, "");
  SECTION("before its first page") {}
  SECTION("in its first transaction") {
    put_bytes(sqlite::rollback_journal_of(file), rollback_journal(0));
  }
  CHECK(maintenance::recover(file, 1).clean);
  CHECK(rows::TranscriptStore(file).list({}).sessions.empty());
}

TEST_CASE("links are followed to the files that belong together", "[P7][store_files]") {
  const TempDir dir;
  const fs::path target = dir / "disk/v.db";
  const fs::path link = dir / "v.db";
  fs::create_directory(dir / "disk");
  leave_killed_store(target);
  fs::create_symlink("disk/v.db", link);
  SECTION("all is well") {
    CHECK(maintenance::recover(link, 9).attempts.at(0).events == 13);
    CHECK(rows::TranscriptStore(link).transcript("s1"));
  }
  SECTION("the link leads nowhere, and a WAL is there") {
    fs::remove(target);
    all_refuse(dir, link, {"disk/v.db", "disk/v.db-wal"});
  }
  SECTION("the link leads nowhere") {
    fs::remove_all(dir / "disk");
    all_refuse(dir, link, {"v.db: is a link", "disk/v.db", "mounted"});
  }
  SECTION("the link leads to a file without a byte, beside its WAL") {
    put_bytes(target, "");
    all_refuse(dir, link, {"disk/v.db", "disk/v.db-wal"});
  }
  SECTION("the WAL was left behind when the file was moved") {
    fs::rename(sqlite::log_of(target), dir / "v.db-wal");
    all_refuse(dir, link, {"v.db-wal", "is a link to", "move it to", "disk/v.db-wal"});
  }
}

TEST_CASE("the journal keeps its locks while others open and close the store",
          "[P1][store_files]") {
  // Closing a descriptor of a file gives up the process's locks on it. The next process to close
  // the store would then believe it is the last one and remove the WAL.
  const TempDir dir;
  const fs::path file = dir / "v.db";
  JournalWatch watch;
  journal::SqliteJournal journal({.file = file}, watch);
  const auto attempt =
      open_attempt(journal, {.session_id = "s1", .user = "ann", .model = "m", .now = 1})
          .attempt.attempt;
  SECTION("nothing") {}
  SECTION("a reader") { CHECK(rows::TranscriptStore(file).transcript("s1")); }
  SECTION("a writer") { sqlite::Database{file}; }
  SECTION("a backup") { maintenance::back_up(file, dir / "backup.db"); }
  SECTION("a check beside a server") { maintenance::check_file(file, true); }
  const std::string command =
      "sqlite3 '" + file.string() + "' 'SELECT count(*) FROM session' > /dev/null";
  REQUIRE(std::system(command.c_str()) == 0);
  CHECK(fs::exists(sqlite::log_of(file)));
  journal.check(std::chrono::steady_clock::now());
  CHECK(watch.wait_durable(journal.append(attempt, 2, delta("i1", "kept"))));
}

TEST_CASE("a segment's WAL whose segment is missing or empty is refused", "[P7][store_files]") {
  const TempDir dir;
  fs::create_directory(dir / "fallback");
  const fs::path file = dir / "v.db";
  const fs::path segment = journal::segment_in(dir / "fallback");
  leave_killed_store(file);
  leave_killed_store(segment);
  SECTION("missing") { fs::remove(segment); }
  SECTION("empty") { put_bytes(segment, ""); }
  SECTION("its header is zeros") {
    std::string bytes = bytes_of(segment);
    put_bytes(segment, bytes.replace(0, 100, 100, '\0'));
  }
  const FolderContent before = content_of(dir.path());
  for (const bool dry_run : {true, false}) {
    CHECK_THROWS_WITH(
        maintenance::recover(file, 1, dry_run, dir / "fallback"),
        Catch::Contains("verbatim-segment.db-wal") && Catch::Contains("Nothing was changed"));
    CHECK(changes(before, content_of(dir.path())) == "");
  }
}

TEST_CASE("the parts that a crash leaves of a merged segment are removed", "[P7][store_files]") {
  const TempDir dir;
  fs::create_directory(dir / "fallback");
  const fs::path file = dir / "v.db";
  const fs::path segment = journal::segment_in(dir / "fallback");
  leave_killed_store(file);
  leave_killed_store(segment);
  fs::rename(segment, segment.string() + ".merged");
  SECTION("all of it") {}
  SECTION("without the WAL") { fs::remove(segment.string() + "-wal"); }
  CHECK(maintenance::recover(file, 9, false, dir / "fallback").attempts.size() == 1);
  CHECK(fs::is_empty(dir / "fallback"));
}
