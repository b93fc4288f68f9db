// Backups of a database that is in use, and checks of one with contradicting rows.
#include <sys/stat.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include <catch2/catch.hpp>

#include "storage/maintenance/backup.hpp"
#include "storage/maintenance/recovery.hpp"
#include "storage/rows/tool_rows.hpp"
#include "storage/rows/transcript_store.hpp"
#include "storage/sqlite/database.hpp"
#include "tests/support/conversations.hpp"
#include "tests/support/fault_vfs.hpp"
#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::test;
using journal::SqliteJournal;
using store::Failure;

namespace {

namespace fs = std::filesystem;

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  return names;
}

Failure failure_of_backup(const fs::path& file, const fs::path& target) {
  try {
    maintenance::back_up(file, target);
  } catch (const store::StorageError& error) {
    CHECK_THAT(error.what(), Catch::Contains(target.filename().string()) ||
                                 Catch::Contains(file.filename().string()));
    return error.failure();
  }
  FAIL("a backup was made");
  return Failure::other;
}

/// Two attempts, one of them open, in a file as a kill leaves it.
void leave_conversations(const fs::path& file) {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "live.db"}, watch);
  const auto open = [&](const char* id) {
    return open_attempt(journal, {.session_id = id, .user = "ann", .model = "m", .now = 1})
        .attempt.attempt;
  };
  const auto ended = open("ended");
  transcript::Transcript transcript;
  for (const auto& event : {placed("i1", transcript::Role::assistant), delta("i1", "Good "),
                            placed("i2", transcript::Role::assistant), delta("i2", "morning")}) {
    journal.append(ended, 2, event);
    transcript.apply(event, 2);
  }
  journal.close(ended,
                {transcript::CloseReason::client_closed, 3, transcript::finalise(transcript, 3)});
  const auto live = open("live");
  journal.append(live, 4, placed("i1", transcript::Role::assistant));
  REQUIRE(watch.wait_durable(journal.append(live, 5, delta("i1", "Well"))));
  fs::copy_file(dir / "live.db", file);
  fs::copy_file(dir / "live.db-wal", file.string() + "-wal");
}

maintenance::StoreCheck check(const fs::path& file) {
  sqlite::Database database(file, {.access = sqlite::Access::read_only});
  return maintenance::check_store(database);
}

}  // namespace

TEST_CASE("a copy is one state, while the writer goes on between its steps", "[backup]") {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  const store::AttemptSpec spec{.session_id = "s", .user = "u", .model = "m", .now = 1};
  const auto attempt = open_attempt(journal, spec).attempt.attempt;
  journal.append(attempt, 1, placed("i1", transcript::Role::assistant));
  std::string before;
  for (int i = 0; i < 800; ++i) {
    const std::string text = std::to_string(i) + std::string(4000, '.');
    before += text;
    journal.append(attempt, 2, delta("i1", text));
  }
  REQUIRE_FALSE(execute(journal, [](sqlite::Database&) {}));

  std::ofstream(dir / "copy.db").close();
  int steps = 0;
  {
    sqlite::Database source(dir / "v.db", {.access = sqlite::Access::read_only});
    source.copy_into(dir / "copy.db", [&] {
      REQUIRE(++steps < 100);
      REQUIRE(watch.wait_durable(journal.append(attempt, 3, delta("i1", "later"))));
    });
  }
  CHECK(steps >= 3);
  maintenance::recover(dir / "copy.db", 9);
  CHECK(rows::TranscriptStore(dir / "copy.db").transcript("s")->turns.at(0).text.utf8() == before);
}

TEST_CASE("a backup is one private, sound file with the same content", "[backup]") {
  const TempDir dir;
  JournalWatch watch;
  SqliteJournal journal({.file = dir / "v.db"}, watch);
  Conversations people(journal, watch);
  people.talk(200);
  const TempDir elsewhere;
  const maintenance::Backup made = maintenance::back_up(dir / "v.db", elsewhere / "b.db");
  CHECK(names_in(elsewhere.path()) == std::vector<std::string>{"b.db"});
  struct stat status {};
  REQUIRE(::stat((elsewhere / "b.db").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  CHECK(made.bytes == static_cast<std::uintmax_t>(status.st_size));
  CHECK(made.counts.sessions > 1);
  CHECK(made.counts.events > 0);

  CHECK(check(elsewhere / "b.db").sound());
  maintenance::recover(elsewhere / "b.db", 9);
  CHECK(people.expected.find(show(elsewhere / "b.db")) == people.expected.last());
}

TEST_CASE("a backup overwrites nothing", "[backup]") {
  const TempDir dir;
  leave_conversations(dir / "v.db");
  const TempDir elsewhere;
  std::ofstream(elsewhere / "there") << "mine";
  fs::create_symlink("nowhere", elsewhere / "link");
  for (const char* name : {"there", "link"}) {
    CHECK(failure_of_backup(dir / "v.db", elsewhere / name) == Failure::other);
    CHECK(names_in(elsewhere.path()).size() == 2);
  }
  std::ifstream kept(elsewhere / "there");
  CHECK(std::string(std::istreambuf_iterator<char>(kept), {}) == "mine");
}

TEST_CASE("a backup that cannot be finished leaves nothing behind", "[backup][faults]") {
  const TempDir dir;
  const TempDir elsewhere;
  SECTION("its disk is full") {
    leave_conversations(dir / "v.db");
    FaultVfs disk;
    disk.confine(elsewhere.path());
    disk.fill_disk(true);
    CHECK(failure_of_backup(dir / "v.db", elsewhere / "b.db") == Failure::disk_full);
  }
  SECTION("its folder is not there") {
    leave_conversations(dir / "v.db");
    CHECK(failure_of_backup(dir / "v.db", elsewhere / "no/b.db") == Failure::read_only);
  }
  SECTION("there is nothing to copy") {
    CHECK(failure_of_backup(dir / "v.db", elsewhere / "b.db") == Failure::not_found);
  }
  SECTION("the copied database is damaged") {
    leave_conversations(dir / "v.db");
    std::int64_t page = 0;
    {
      sqlite::Database database(dir / "v.db");
      sqlite::Query root = database.query("SELECT rootpage FROM sqlite_master WHERE name = 'turn'");
      REQUIRE(root.step());
      page = root.integer(0);
    }
    {
      sqlite::Database database(dir / "v.db");
      REQUIRE(database.checkpoint(sqlite::Database::Checkpoint::truncate));
    }
    std::FILE* file = std::fopen((dir / "v.db").c_str(), "r+b");
    REQUIRE(file);
    std::fseek(file, static_cast<long>((page - 1) * 4096), SEEK_SET);
    std::fputs("ZZZZ", file);
    std::fclose(file);
    CHECK(failure_of_backup(dir / "v.db", elsewhere / "b.db") == Failure::corrupt);
    CHECK(check(dir / "v.db").integrity != "ok");
  }
  CHECK(names_in(elsewhere.path()).empty());
}

TEST_CASE("a store after a crash is counted and sound", "[backup][check]") {
  const TempDir dir;
  leave_conversations(dir / "v.db");
  const auto left = check(dir / "v.db");
  CHECK(left.sound());
  CHECK_FALSE(left.clean);
  CHECK(left.counts.sessions == 2);
  CHECK(left.counts.open_attempts == 1);
  CHECK(left.counts.turns == 2);
  maintenance::recover(dir / "v.db", 9);
  const auto recovered = check(dir / "v.db");
  CHECK(recovered.sound());
  CHECK(recovered.clean);
  CHECK(recovered.counts.open_attempts == 0);
  CHECK(recovered.counts.turns == 3);
  CHECK(recovered.counts.events == 0);
}

TEST_CASE("a tool call that needed no approval is sound", "[backup][check]") {
  const TempDir dir;
  leave_conversations(dir / "v.db");
  {
    sqlite::Database database(dir / "v.db");
    rows::insert_tool_calls(database, 1, {transcript::ToolCall{}});
  }
  CHECK(check(dir / "v.db").sound());
}

TEST_CASE("rows that contradict the format are found and named", "[backup][check]") {
  struct Case {
    std::string change;
    const char* what;
  };
  const std::string beyond_last_reason = std::to_string(transcript::close_reason_count + 1);
  const Case cases[] = {
      {"DELETE FROM session WHERE public_id = 'ended'", "attempts without a session"},
      {"INSERT INTO turn SELECT 99, 99, item_id, ordinal, role, status, text, heard_ms, heard_text,"
       " reason, deleted, response_id, started_at, ended_at, writers, audio_ms FROM turn LIMIT 1",
       "turns without an attempt"},
      {"UPDATE journal SET attempt = 99 WHERE at = 5", "journal rows without an attempt"},
      {"UPDATE attempt SET first_seq = 99 WHERE ended_at IS NULL",
       "journal rows before the first of their attempt"},
      {"UPDATE attempt SET close_reason = NULL", "attempts whose status and end"},
      {"UPDATE attempt SET close_reason = " + beyond_last_reason + " WHERE ended_at > 0",
       "attempts whose status and end"},
      {"UPDATE turn SET status = 0 WHERE ordinal = 1", "turns still open"},
      {"UPDATE turn SET ordinal = 3 WHERE ordinal = 2", "not numbered"},
      {"UPDATE turn SET ordinal = 1", "not numbered"},
      {"UPDATE turn SET role = 4 WHERE ordinal = 1", "does not exist"},
      {"UPDATE attempt SET gaps = '[' WHERE ended_at > 0", "not JSON"},
      {"UPDATE session SET metadata = 'x'", "not JSON"},
      {"UPDATE turn SET writers = ''", "not JSON"},
      {"UPDATE meta SET clean = 1", "closed in order, with attempts open"},
      {"INSERT INTO meta (clean, last_seq) VALUES (0, 7)", "rows in meta"},
      {"UPDATE journal SET body = x'01' WHERE at = 5", "cannot be decoded"},
      {"INSERT INTO dirty VALUES (6, 'msg_1', 5)", "store that tracks none"},
      {"INSERT INTO shipping VALUES (0, 0, 0, 5, 0); INSERT INTO dirty VALUES (2, 99, 5)",
       "rows that do not exist"},
      {"INSERT INTO shipping VALUES (0, 0, 0, 5, 0); INSERT INTO dirty VALUES (8, 1, 5)",
       "rows that do not exist"},
      {"INSERT INTO shipping VALUES (0, 0, 0, 5, 0), (1, 0, 0, 5, 0)", "more than one row"},
  };
  for (const auto& [change, what] : cases) {
    INFO(change);
    const TempDir dir;
    leave_conversations(dir / "v.db");
    {
      sqlite::Database database(dir / "v.db");
      database.run("PRAGMA foreign_keys=OFF");
      database.run(change);
    }
    const auto found = check(dir / "v.db");
    CHECK(found.integrity == "ok");
    REQUIRE(found.findings.size() == 1);
    CHECK_THAT(found.findings[0].what, Catch::Contains(what));
    CHECK(found.findings[0].count > 0);
    CHECK_FALSE(found.findings[0].first.empty());
  }
}
