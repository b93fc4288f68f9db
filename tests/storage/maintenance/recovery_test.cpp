// Recovery after a crash.
#include "storage/maintenance/recovery.hpp"
#include "storage/rows/client_tokens.hpp"

#include <cstdio>

#include <catch2/catch.hpp>

#include "session/transcript/transcript.hpp"
#include "storage/rows/event_codec.hpp"
#include "storage/rows/row_writer.hpp"
#include "storage/rows/transcript_store.hpp"
#include "storage/sqlite/database.hpp"
#include "tests/support/journal_driver.hpp"
#include "tests/support/store_folder.hpp"

using namespace verbatim;
using namespace verbatim::test;
using transcript::CloseReason;
using transcript::SessionStatus;
using transcript::TurnStatus;

namespace {

namespace fs = std::filesystem;

/// A session with a finished turn and an unfinished one, cut off by a kill.
void leave_behind_a_crash(const TempDir& dir) {
  JournalWatch watch;
  journal::SqliteJournal journal({.file = dir / "live.db"}, watch);
  const auto attempt =
      open_attempt(journal, {.session_id = "s1", .user = "ann", .model = "m", .now = 1000})
          .attempt.attempt;
  journal.append(attempt, 1100, placed("i1", transcript::Role::assistant));
  journal.append(attempt, 1200, delta("i1", "Good "));
  journal.append(attempt, 1300, delta("i1", "morn"));
  REQUIRE(execute(journal, [&](sqlite::Database& database) {
            for (const auto& [id, expires_at] : {std::pair("old", 10), std::pair("new", 99999)}) {
              store::ClientToken token;
              token.id = id;
              token.expires_at = expires_at;
              rows::save_client_token(database, token);
            }
          }) == std::nullopt);
  copy_as_killed(dir / "live.db", dir / "v.db");
}

}  // namespace

TEST_CASE("an attempt cut off by a crash becomes a finished transcript", "[P2][P7][recovery]") {
  const TempDir dir;
  leave_behind_a_crash(dir);

  const auto seen = maintenance::recover(dir / "v.db", 5000, true);
  CHECK(seen.dry_run);
  CHECK(seen.integrity == "ok");
  CHECK(rows::TranscriptStore(dir / "v.db").session("s1")->status == SessionStatus::live);

  const auto report = maintenance::recover(dir / "v.db", 5000);
  CHECK_FALSE(report.clean);
  CHECK(report.integrity == "ok");
  CHECK(report.unreadable_rows == 0);
  REQUIRE(report.attempts.size() == 1);
  CHECK(report.attempts[0].session_id == "s1");
  CHECK(report.attempts[0].attempt == 1);
  CHECK(report.attempts[0].events == 3);
  CHECK(report.attempts[0].turns == 1);
  CHECK(report.attempts[0].interrupted == 1);
  CHECK(seen.attempts == report.attempts);

  rows::TranscriptStore store(dir / "v.db");
  const auto view = store.transcript("s1");
  REQUIRE(view);
  CHECK(view->status == SessionStatus::final);
  CHECK(view->close_reason == CloseReason::crash_recovered);
  CHECK(view->ended_at == 1300);
  CHECK_FALSE(view->complete);
  REQUIRE(view->turns.size() == 1);
  CHECK(view->turns[0].text.utf8() == "Good morn");
  CHECK(view->turns[0].status == TurnStatus::interrupted);
  CHECK(view->turns[0].ordinal == 1);
  const auto is_kept = [&store](const char* id) {
    return rows::token_standing(store.database(), {id, "s1"}, 5000, 0).stored.has_value();
  };
  CHECK_FALSE(is_kept("old"));
  CHECK(is_kept("new"));
}

TEST_CASE("turns that the provider had cut short do not count as interrupted by the crash",
          "[P7][recovery]") {
  const TempDir dir;
  {
    JournalWatch watch;
    journal::SqliteJournal journal({.file = dir / "live.db"}, watch);
    const store::AttemptSpec spec{.session_id = "s", .user = "u", .model = "m", .now = 1};
    const auto attempt = open_attempt(journal, spec).attempt.attempt;
    journal.append(attempt, 1, placed("i1", transcript::Role::assistant));
    journal.append(attempt, 2, delta("i1", "Cut "));
    transcript::ResponseEnded cut;
    cut.response_id = "resp_1";
    cut.status = transcript::ResponseStatus::incomplete;
    cut.reason = "max_output_tokens";
    cut.output.push_back({.id = "i1",
                          .role = transcript::Role::assistant,
                          .status = transcript::ItemStatus::incomplete});
    journal.append(attempt, 3, {"", cut});
    journal.append(attempt, 4, placed("i2", transcript::Role::assistant));
    transcript::TextDelta off;
    off.item_id = "i2";
    off.response_id = "resp_2";
    off.text = Text::from_wtf8("Off");
    REQUIRE(watch.wait_durable(journal.append(attempt, 5, {"", off})));
    copy_as_killed(dir / "live.db", dir / "v.db");
  }
  const auto report = maintenance::recover(dir / "v.db", 5000);
  REQUIRE(report.attempts.size() == 1);
  CHECK(report.attempts[0].turns == 2);
  CHECK(report.attempts[0].interrupted == 1);
  const auto view = rows::TranscriptStore(dir / "v.db").transcript("s");
  CHECK(view->turns.at(0).status == TurnStatus::interrupted);
  CHECK(view->turns.at(1).status == TurnStatus::interrupted);
}

TEST_CASE("recovering twice changes nothing the second time", "[P7][recovery]") {
  const TempDir dir;
  leave_behind_a_crash(dir);
  maintenance::recover(dir / "v.db", 5000);
  const std::string once = bytes_of(dir / "v.db");
  CHECK_FALSE(fs::exists(dir / "v.db-wal"));
  const auto again = maintenance::recover(dir / "v.db", 6000);
  CHECK(again.clean);
  CHECK(again.attempts.empty());
  CHECK(bytes_of(dir / "v.db") == once);
  CHECK_FALSE(fs::exists(dir / "v.db-wal"));
}

TEST_CASE("a recovered transcript is what a close would have left", "[P7][recovery]") {
  const TempDir dir;
  const std::vector<transcript::Event> events = {
      placed("i1", transcript::Role::assistant), delta("i1", "One. "),
      placed("i2", transcript::Role::assistant), delta("i2", "Two"), delta("i1", "More.")};
  {
    JournalWatch watch;
    journal::SqliteJournal journal({.file = dir / "closed.db"}, watch);
    const store::AttemptSpec spec{.session_id = "s", .user = "u", .model = "m", .now = 1};
    const auto attempt = open_attempt(journal, spec).attempt.attempt;
    transcript::Transcript live;
    TimeMs at = 10;
    for (const auto& event : events) {
      journal.append(attempt, ++at, event);
      live.apply(event, at);
    }
    REQUIRE_FALSE(execute(journal, [](sqlite::Database&) {}));
    copy_as_killed(dir / "closed.db", dir / "crashed.db");
    REQUIRE(watch.wait_durable(
        journal.close(attempt, {CloseReason::client_closed, at, transcript::finalise(live, at)})));
  }
  maintenance::recover(dir / "crashed.db", 5000);
  const auto closed = rows::TranscriptStore(dir / "closed.db").transcript("s");
  const auto crashed = rows::TranscriptStore(dir / "crashed.db").transcript("s");
  REQUIRE(closed);
  REQUIRE(crashed);
  CHECK(crashed->turns == closed->turns);
  CHECK(crashed->gaps == closed->gaps);
  CHECK(crashed->complete == closed->complete);
  CHECK(crashed->ended_at == closed->ended_at);
}

TEST_CASE("unreadable journal rows are kept, counted and skipped", "[P7][recovery]") {
  const TempDir dir;
  leave_behind_a_crash(dir);
  {
    sqlite::Database database(dir / "v.db");
    database.run("UPDATE journal SET body = x'0102030405' WHERE at = 1200");
  }
  const auto report = maintenance::recover(dir / "v.db", 5000);
  CHECK(report.unreadable_rows == 1);
  CHECK(report.attempts.at(0).events == 2);
  CHECK(rows::TranscriptStore(dir / "v.db").transcript("s1")->turns.at(0).text.utf8() == "morn");
  {
    sqlite::Database database(dir / "v.db");
    sqlite::Query kept = database.query("SELECT at, hex(body) FROM unreadable");
    REQUIRE(kept.step());
    CHECK(kept.integer(0) == 1200);
    CHECK(kept.text(1) == "0102030405");
    sqlite::Query rest = database.query("SELECT count(*) FROM journal");
    REQUIRE(rest.step());
    CHECK(rest.integer(0) == 0);
  }
  CHECK(maintenance::recover(dir / "v.db", 6000).clean);
}

TEST_CASE("an orderly end leaves nothing to recover and no WAL", "[P7][recovery]") {
  const TempDir dir;
  CHECK(maintenance::recover(dir / "v.db", 1).clean);  // no file: nothing to do, none is made
  CHECK_FALSE(fs::exists(dir / "v.db"));
  {
    JournalWatch watch;
    journal::SqliteJournal journal({.file = dir / "v.db"}, watch);
    const store::AttemptSpec spec{.session_id = "s", .user = "u", .model = "m", .now = 1};
    journal.close(open_attempt(journal, spec).attempt.attempt, {});
  }
  CHECK_FALSE(fs::exists(dir / "v.db-wal"));
  CHECK(maintenance::recover(dir / "v.db", 1).clean);
}

TEST_CASE("a journal that was killed idle is checked although nothing was open", "[P7][recovery]") {
  const TempDir dir;
  JournalWatch watch;
  journal::SqliteJournal journal({.file = dir / "live.db"}, watch);
  REQUIRE_FALSE(execute(journal, [](sqlite::Database&) {}));
  copy_as_killed(dir / "live.db", dir / "v.db");
  const auto report = maintenance::recover(dir / "v.db", 1);
  CHECK_FALSE(report.clean);
  CHECK(report.integrity == "ok");
  CHECK(report.attempts.empty());
  CHECK(maintenance::recover(dir / "v.db", 1).clean);
}

TEST_CASE("a token that was used for another session is not taken for damage", "[P7][recovery]") {
  const TempDir dir;
  JournalWatch watch;
  journal::SqliteJournal journal({.file = dir / "live.db"}, watch);
  REQUIRE_FALSE(execute(journal, [](sqlite::Database& database) {
    // The quick check of SQLite 3.40 finds a NULL value in such a row.
    rows::create_session(database, {.id = "s1", .user = "ann", .now = 1});
    rows::note_token_use(database, "token", "s1");
  }));
  copy_as_killed(dir / "live.db", dir / "v.db");
  CHECK(maintenance::recover(dir / "v.db", 1).integrity == "ok");
}

TEST_CASE("a damaged file is refused by recovery and left as it is", "[P6][P7][recovery]") {
  const TempDir dir;
  {
    JournalWatch watch;
    journal::SqliteJournal journal({.file = dir / "v.db"}, watch);
    const store::AttemptSpec spec{.session_id = "s", .user = "u", .model = "m", .now = 1};
    const auto attempt = open_attempt(journal, spec).attempt.attempt;
    for (int i = 0; i < 3000; ++i) journal.append(attempt, i, delta("i", std::string(100, 'x')));
  }
  {
    sqlite::Database database(dir / "v.db");
    rows::set_clean(database, false);
  }
  const auto size = fs::file_size(dir / "v.db");
  {
    std::FILE* file = std::fopen((dir / "v.db").c_str(), "r+b");
    REQUIRE(file);
    std::fseek(file, static_cast<long>(size / 2 / 4096 * 4096), SEEK_SET);
    const std::string garbage(4096, '\x5a');
    std::fwrite(garbage.data(), 1, garbage.size(), file);
    std::fclose(file);
  }
  CHECK(maintenance::recover(dir / "v.db", 1, true).integrity != "ok");
  try {
    maintenance::recover(dir / "v.db", 1);
    FAIL("a damaged file was taken for good");
  } catch (const store::StorageError& error) {
    CHECK(error.failure() == store::Failure::corrupt);
    CHECK_THAT(error.what(), Catch::Contains("v.db") && Catch::Contains("backup"));
  }
}
