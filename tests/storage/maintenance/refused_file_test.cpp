// A refused file stays as it was: the message says so, and the person who repairs it needs its
// content.
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

std::int64_t root_of(const fs::path& file, const std::string& table) {
  sqlite::Database database(file, {.access = sqlite::Access::look});
  sqlite::Query root =
      database.query("SELECT rootpage FROM sqlite_master WHERE name = '" + table + "'");
  REQUIRE(root.step());
  return root.integer(0);
}

void overwrite(const fs::path& file, std::size_t at, const std::string& with) {
  std::string bytes = bytes_of(file);
  REQUIRE(at + with.size() <= bytes.size());
  put_bytes(file, bytes.replace(at, with.size(), with));
}

void damage_page(const fs::path& file, std::int64_t page) {
  overwrite(file, static_cast<std::size_t>(page - 1) * 4096, "ZZZZZZZZ");
}

struct Damage {
  const char* name;
  std::function<void(const fs::path&)> harm;
};

const std::vector<Damage> damages = {
    {"a table's root page", [](const fs::path& f) { damage_page(f, root_of(f, "session")); }},
    {"a page of the outbox", [](const fs::path& f) { damage_page(f, root_of(f, "message")); }},
    {"a page of random bytes",
     [](const fs::path& f) {
       std::string noise;
       for (int i = 0; i < 4096; ++i) noise += static_cast<char>(i * 167 + 13);
       overwrite(f, static_cast<std::size_t>(root_of(f, "turn") - 1) * 4096, noise);
     }},
    {"zeros in place of a page",
     [](const fs::path& f) {
       overwrite(f, static_cast<std::size_t>(root_of(f, "client_secret") - 1) * 4096,
                 std::string(4096, '\0'));
     }},
    {"the file cut in half", [](const fs::path& f) { fs::resize_file(f, fs::file_size(f) / 2); }},
    {"a cell pointer beyond the page",
     [](const fs::path& f) {
       overwrite(f, static_cast<std::size_t>(root_of(f, "delivery") - 1) * 4096 + 3, "\x7f\xff");
     }},
};

/// Opens the file in every way that a start or a command does, and expects a refusal.
void is_refused_unchanged(const TempDir& dir, const fs::path& file) {
  const FolderContent before = content_of(dir.path());
  CHECK_THROWS_WITH(maintenance::recover(file, 1), Catch::Contains("nothing was changed"));
  CHECK(changes(before, content_of(dir.path())) == "");
  CHECK(maintenance::recover(file, 1, true).integrity != "ok");
  CHECK(changes(before, content_of(dir.path())) == "");
  CHECK_FALSE(maintenance::check_file(file, false).sound());
  CHECK(changes(before, content_of(dir.path())) == "");
}

}  // namespace

TEST_CASE("a damaged file that is refused is left byte for byte as it was", "[P6][P7][refused]") {
  for (const Damage& damage : damages) {
    DYNAMIC_SECTION(damage.name) {
      const TempDir dir;
      const fs::path file = dir / "v.db";
      leave_killed_store(file);
      damage.harm(file);
      SECTION("as the kill left it") {}
      SECTION("its index is not there") { fs::remove(sqlite::index_of(file)); }
      SECTION("its index is noise") {
        put_bytes(sqlite::index_of(file), std::string(32768, '\x5a'));
      }
      is_refused_unchanged(dir, file);
    }
  }
}

TEST_CASE("a damaged file without a WAL is left as it was too", "[P6][P7][refused]") {
  const TempDir dir;
  const fs::path file = dir / "v.db";
  leave_killed_store(file);
  {
    sqlite::Database database(file);
    REQUIRE(database.checkpoint(sqlite::Database::Checkpoint::truncate));
  }
  fs::remove(sqlite::log_of(file));
  fs::remove(sqlite::index_of(file));
  damage_page(file, root_of(file, "session"));
  is_refused_unchanged(dir, file);
}

TEST_CASE("a command that changes a damaged file moves nothing of its WAL", "[P6][refused]") {
  const TempDir dir;
  const fs::path file = dir / "v.db";
  leave_killed_store(file);
  damage_page(file, root_of(file, "session"));
  const std::string database = bytes_of(file);
  const std::string log = bytes_of(sqlite::log_of(file));
  CHECK_THROWS_AS(
      [&] {
        sqlite::Database opened(file);
        rows::erase_session(opened, "s1");
      }(),
      store::StorageError);
  CHECK(bytes_of(file) == database);
  CHECK(bytes_of(sqlite::log_of(file)) == log);
}

TEST_CASE("a file of another program or of a later version is left as it was", "[P7][refused]") {
  const TempDir dir;
  const fs::path file = dir / "v.db";
  leave_killed_store(file);
  {
    sqlite::Database database(file);
    SECTION("another program's") { database.run("PRAGMA application_id=1"); }
    SECTION("a later version's") { database.run("PRAGMA user_version=99"); }
  }
  const FolderContent before = content_of(dir.path());
  for (const bool dry_run : {true, false}) {
    CHECK_THROWS_WITH(maintenance::recover(file, 1, dry_run),
                      Catch::Contains("nothing was changed"));
    CHECK(changes(before, content_of(dir.path())) == "");
  }
}

TEST_CASE("a damaged segment is refused, and it and its database stay as they were",
          "[P6][P7][refused]") {
  const TempDir dir;
  fs::create_directory(dir / "fallback");
  const fs::path file = dir / "v.db";
  const fs::path segment = journal::segment_in(dir / "fallback");
  leave_killed_store(file);
  leave_killed_store(segment);
  damage_page(segment, root_of(segment, "turn"));
  const FolderContent before = content_of(dir.path());
  CHECK_THROWS_WITH(maintenance::recover(file, 1, false, dir / "fallback"),
                    Catch::Contains("verbatim-segment.db: damaged"));
  CHECK(changes(before, content_of(dir.path())) == "");
}
