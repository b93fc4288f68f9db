// Opening a database: settings, migration, refusals, and the messages of errors.
#include "storage/sqlite/database.hpp"

#include <sys/mount.h>

#include <fstream>

#include <catch2/catch.hpp>

#include "storage/rows/transcript_store.hpp"
#include "storage/sqlite/schema.hpp"
#include "tests/support/store_folder.hpp"

using namespace verbatim;
using namespace verbatim::sqlite;
using namespace verbatim::store;
using test::bytes_of;
using test::TempDir;

namespace {

namespace fs = std::filesystem;

StorageError error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const StorageError& error) {
    return error;
  }
  FAIL("no error");
  return StorageError(Failure::other, "");
}

std::string one(Database& database, const std::string& sql) {
  Query query = database.query(sql);
  return query.step() ? query.text(0) : "";
}

}  // namespace

TEST_CASE("a new database has its schema and its settings", "[storage]") {
  const TempDir dir;
  Database database(dir / "v.db", {.access = Access::create});
  CHECK(one(database, "PRAGMA user_version") == std::to_string(schema_steps().size()));
  CHECK(one(database, "PRAGMA application_id") == std::to_string(application_id));
  CHECK(one(database, "PRAGMA journal_mode") == "wal");
  CHECK(one(database, "PRAGMA synchronous") == "2");
  CHECK(one(database, "PRAGMA wal_autocheckpoint") == "0");
  CHECK(one(database, "PRAGMA secure_delete") == "1");
  Database relaxed(dir / "v.db", {.durability = Durability::process});
  CHECK(one(relaxed, "PRAGMA synchronous") == "1");
}

TEST_CASE("a file of a later version is refused and left alone", "[storage]") {
  const TempDir dir;
  {
    Database database(dir / "v.db", {.access = Access::create});
    database.run("PRAGMA user_version=99");
  }
  const std::string before = bytes_of(dir / "v.db");
  for (const Access access : {Access::create, Access::read_write, Access::read_only}) {
    const auto error = error_of([&] { Database(dir / "v.db", {.access = access}); });
    CHECK(error.failure() == Failure::newer_schema);
    CHECK_THAT(error.what(), Catch::Contains("v.db") && Catch::Contains("schema 99"));
  }
  CHECK(bytes_of(dir / "v.db") == before);
}

TEST_CASE("a file that is not a Verbatim database is refused and left alone", "[storage]") {
  const TempDir dir;
  std::ofstream(dir / "text") << std::string(5000, 'x');
  const auto text = error_of([&] { Database(dir / "text", {.access = Access::create}); });
  CHECK_THAT(text.what(), Catch::Contains("not a Verbatim database"));
  CHECK(bytes_of(dir / "text") == std::string(5000, 'x'));

  {
    Database ours(dir / "other.db", {.access = Access::create});
    ours.run("PRAGMA application_id=7");
  }
  const auto other = error_of([&] { Database(dir / "other.db", {.access = Access::create}); });
  CHECK_THAT(other.what(), Catch::Contains("not a Verbatim database"));
}

TEST_CASE("a migration step that fails has changed nothing", "[storage]") {
  const TempDir dir;
  Database database(dir / "v.db", {.access = Access::create});
  const char* const first = schema_steps()[0];
  const char* const broken[] = {first, "CREATE TABLE added (x); INSERT INTO nowhere VALUES (1)"};
  const auto version = one(database, "PRAGMA user_version");
  CHECK_THROWS_AS(migrate(database, 1, broken), StorageError);
  CHECK(one(database, "PRAGMA user_version") == version);
  CHECK(one(database, "SELECT count(*) FROM sqlite_master WHERE name = 'added'") == "0");
  const char* const mended[] = {first, "CREATE TABLE added (x); INSERT INTO added VALUES (1)"};
  migrate(database, 1, mended);
  CHECK(one(database, "PRAGMA user_version") == "2");
  CHECK(one(database, "SELECT x FROM added") == "1");
}

TEST_CASE("an older file gets a name for a fleet, once, and keeps its rows", "[P14][storage]") {
  const std::size_t version = GENERATE(7, 8, 9, 10, 11, 12);
  const TempDir dir;
  const auto make = [&](const char* name) {
    const Schema earlier{application_id, schema_steps().first(version)};
    Database old(dir / name, {.access = Access::create, .schema = &earlier});
    CHECK(one(old, "PRAGMA user_version") == std::to_string(version));
    old.run(
        "INSERT INTO session (public_id, user, metadata, created_at) VALUES ('s', 'u', '{}', 1)");
  };
  const auto node_id = [&](const char* name) {
    Database database(dir / name);
    CHECK(one(database, "PRAGMA user_version") == std::to_string(schema_steps().size()));
    CHECK(one(database, "SELECT public_id FROM session") == "s");
    CHECK(one(database, "SELECT count(*) FROM dirty, shipping, run") == "0");
    CHECK(one(database, "SELECT count(*) FROM audio_run, repair, upload") == "0");
    CHECK(one(database, "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'") == "0");
    return one(database, "SELECT node_id FROM meta");
  };
  make("a.db");
  make("b.db");
  const std::string id = node_id("a.db");
  CHECK_THAT(id, Catch::Matches("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-"
                                "[0-9a-f]{12}"));
  CHECK(node_id("a.db") == id);
  CHECK(node_id("b.db") != id);
}

TEST_CASE("errors of opening name the file and what to do", "[P6][storage]") {
  const TempDir dir;
  const auto missing = error_of([&] { Database(dir / "v.db"); });
  CHECK(missing.failure() == Failure::not_found);
  CHECK_THAT(missing.what(), Catch::Contains("v.db"));

  std::ofstream(dir / "file") << "in the place of a folder";
  const auto no_folder =
      error_of([&] { Database(dir / "file" / "v.db", {.access = Access::create}); });
  CHECK(no_folder.failure() == Failure::read_only);
  CHECK_THAT(no_folder.what(),
             Catch::Contains("file/v.db: cannot be made") && Catch::Contains("directory"));
}

TEST_CASE("a read-only folder is reported as read-only", "[P6][storage]") {
  const TempDir dir;
  const fs::path mounted = dir / "ro";
  fs::create_directory(mounted);
  if (::mount("tmpfs", mounted.c_str(), "tmpfs", MS_RDONLY, "size=1m") != 0) {
    WARN("skipped: this process may not mount a file system");
    return;
  }
  const auto error = error_of([&] { Database(mounted / "v.db", {.access = Access::create}); });
  CHECK(error.failure() == Failure::read_only);
  CHECK_THAT(error.what(),
             Catch::Contains("Read-only file system") && Catch::Contains("mounted writable"));
  CHECK(::umount(mounted.c_str()) == 0);
}

TEST_CASE("opening waits for another process's lock, then reports it", "[P6][storage]") {
  const TempDir dir;
  Database holder(dir / "v.db", {.access = Access::create});
  const Transaction held(holder);
  Database other(dir / "v.db", {.busy_timeout_ms = 20});
  const auto error = error_of([&] { Transaction refused(other); });
  CHECK(error.failure() == Failure::busy);
  CHECK_THAT(error.what(), Catch::Contains("other process"));
}
