// Recovery leaves the conversations of a killed process open for their clients.
#include <catch2/catch.hpp>
#include <filesystem>
#include <future>
#include <memory>
#include <string>

#include "session/transcript/transcript.hpp"
#include "storage/maintenance/check.hpp"
#include "storage/maintenance/recovery.hpp"
#include "storage/rows/transcript_store.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite_store/sqlite_store.hpp"
#include "tests/support/journal_driver.hpp"
#include "tests/support/store_folder.hpp"

using namespace verbatim;
using namespace verbatim::test;
using transcript::CloseReason;
using transcript::SessionStatus;
using transcript::TurnStatus;

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t window_ms = 30'000;
constexpr const char* settings = R"({"type":"realtime","instructions":"Be brief."})";

maintenance::RecoveryOptions waits() {
  return {.resume_window_ms = window_ms, .leaves_recovering = true};
}

/// A start of the server after a crash.
maintenance::RecoveryReport start(const fs::path& file, TimeMs now) {
  return maintenance::recover(file, now, false, {}, waits());
}

/// A session in the middle of an answer, whose process was killed. `shown`: the provider has shown
/// its session.
void leave_crashed_session(const TempDir& dir, bool shown = true, bool detached = false) {
  JournalWatch watch;
  journal::SqliteJournal journal({.file = dir / "live.db"}, watch);
  const store::AttemptSpec spec{.session_id = "s1", .user = "ann", .model = "m", .now = 1000};
  const auto attempt = open_attempt(journal, spec).attempt.attempt;
  if (shown) {
    journal.append(attempt, 1050, {{}, transcript::SettingsChanged{"{}"}});
    journal.append(attempt, 1060, {{}, transcript::SettingsChanged{settings}});
  }
  journal.append(attempt, 1100, placed("i1", transcript::Role::assistant));
  journal.append(attempt, 1300, delta("i1", "Good morn"));
  if (detached) journal.mark(attempt, SessionStatus::detached);
  REQUIRE(execute(journal, [](sqlite::Database&) {}) == std::nullopt);
  copy_as_killed(dir / "live.db", dir / "v.db");
}

/// As a kill leaves a file that a recovery has left in order.
void begin_again(const fs::path& file) {
  sqlite::Database database(file);
  database.run("UPDATE meta SET clean = 0");
}

std::int64_t number(const fs::path& file, const char* sql) {
  sqlite::Database database(file, {.access = sqlite::Access::look});
  sqlite::Query row = database.query(sql);
  REQUIRE(row.step());
  return row.integer(0);
}

/// The store as the next process opens it.
struct NextProcess {
  explicit NextProcess(const fs::path& file) {
    sqlite_store::SqliteStoreOptions options;
    options.journal.file = file;
    store = std::make_unique<sqlite_store::SqliteStore>(std::move(options), watch, log);
  }
  std::optional<store::ResumedAttempt> resume(const std::string& user, TimeMs suspended_after) {
    using Found = std::shared_ptr<std::optional<store::ResumedAttempt>>;
    const auto answer = std::make_shared<std::promise<Found>>();
    store->resume_attempt({"s1", user, suspended_after, 100}, [answer](auto result) {
      answer->set_value(
          std::make_shared<std::optional<store::ResumedAttempt>>(std::move(result).value()));
    });
    auto future = answer->get_future();
    REQUIRE(future.wait_for(patience) == std::future_status::ready);
    return std::move(*future.get());
  }
  void close() { REQUIRE(store->shut_down(patience)); }

  JournalWatch watch;
  Log log{LogOptions{LogLevel::error}};
  std::unique_ptr<sqlite_store::SqliteStore> store;
};

}  // namespace

TEST_CASE("an attempt of a killed process waits for its client, with everything that was kept",
          "[P7][P14][recovery]") {
  const TempDir dir;
  const bool detached = GENERATE(false, true);
  leave_crashed_session(dir, true, detached);
  const auto report = start(dir / "v.db", 50'000);
  CHECK_FALSE(report.clean);
  CHECK(report.attempts.empty());
  REQUIRE(report.recovering.size() == 1);
  CHECK(report.recovering[0] == maintenance::RecoveredAttempt{"s1", 1, 4, 1, 1});
  REQUIRE(report.waiting.size() == 1);
  CHECK(report.waiting[0].session_id == "s1");
  CHECK(report.waiting[0].user == "ann");
  CHECK(report.waiting[0].recovering);

  rows::TranscriptStore store(dir / "v.db");
  const auto view = store.transcript("s1");
  REQUIRE(view);
  CHECK(view->status == SessionStatus::recovering);
  CHECK_FALSE(view->ended_at);
  CHECK_FALSE(view->close_reason);
  REQUIRE(view->turns.size() == 1);
  CHECK(view->turns[0].text.utf8() == "Good morn");
  CHECK(view->turns[0].status == TurnStatus::interrupted);
  store::SessionFilter filter;
  filter.status = SessionStatus::recovering;
  CHECK(store.list(filter).sessions.size() == 1);
  filter.status = SessionStatus::live;
  CHECK(store.list(filter).sessions.empty());
}

TEST_CASE("its client continues the same attempt, with its settings and its history",
          "[P8][P14][recovery]") {
  const TempDir dir;
  leave_crashed_session(dir);
  start(dir / "v.db", 50'000);
  {
    NextProcess next(dir / "v.db");
    CHECK_FALSE(next.resume("bob", 0));       // another user's
    CHECK_FALSE(next.resume("ann", 50'000));  // the window is over
    auto resumed = next.resume("ann", 49'999);
    REQUIRE(resumed);
    CHECK(resumed->opened.number == 1);
    CHECK(resumed->opened.started_at == 1000);
    CHECK(resumed->settings_json == settings);
    REQUIRE(resumed->transcript.turns().size() == 1);
    CHECK(resumed->transcript.turns()[0].text.utf8() == "Good morn");
    CHECK_FALSE(next.resume("ann", 0));  // it is live now
    // Numbers go on behind those of before the crash.
    auto& journal = next.store->journal();
    const auto attempt = resumed->opened.attempt;
    journal.append(attempt, 51'000, placed("i2", transcript::Role::assistant));
    const auto last = journal.append(attempt, 51'001, delta("i2", "Yes?")).sequence;
    REQUIRE(next.watch.wait_durable(last));
    CHECK(number(dir / "v.db", "SELECT recoveries FROM attempt") == 0);
    next.close();
  }
  const auto view = rows::TranscriptStore(dir / "v.db").transcript("s1");
  REQUIRE(view->turns.size() == 2);
  CHECK(view->turns[0].text.utf8() == "Good morn");
  CHECK(view->turns[1].text.utf8() == "Yes?");
  CHECK(view->status == SessionStatus::live);
}

TEST_CASE("a client that does not come leaves the transcript that a recovery would have made",
          "[P2][P7][P14][recovery]") {
  const TempDir dir;
  leave_crashed_session(dir);
  fs::copy_file(dir / "v.db", dir / "at-once.db");
  fs::copy_file(dir / "v.db-wal", dir / "at-once.db-wal");
  maintenance::recover(dir / "at-once.db", 50'000);
  start(dir / "v.db", 50'000);
  {
    NextProcess next(dir / "v.db");
    const auto found = ask<std::vector<store::SuspendedAttempt>>([&](auto done) {
                         next.store->suspended_before(50'000, 10, done);
                       }).value();
    REQUIRE(found.size() == 1);
    CHECK(found[0].recovering);
    const auto ending =
        ask<transcript::Ending>([&](auto done) {
          next.store->ending_of(found[0].attempt, CloseReason::crash_recovered, std::nullopt, done);
        }).value();
    REQUIRE(next.watch.wait_durable(next.store->journal().close(found[0].attempt, ending)));
    next.close();
  }
  const auto late = rows::TranscriptStore(dir / "v.db").transcript("s1");
  const auto at_once = rows::TranscriptStore(dir / "at-once.db").transcript("s1");
  CHECK(late->status == SessionStatus::final);
  CHECK(late->close_reason == CloseReason::crash_recovered);
  CHECK(late->ended_at == 1300);
  CHECK(late->ended_at == at_once->ended_at);
  CHECK(late->turns == at_once->turns);
  CHECK(late->gaps == at_once->gaps);
  CHECK(late->complete == at_once->complete);
  CHECK(maintenance::recover(dir / "v.db", 60'000, false, {}, waits()).clean);
}

TEST_CASE("without a window, or without settings to continue with, an attempt ends at once",
          "[P7][P14][recovery]") {
  const TempDir dir;
  maintenance::RecoveryOptions options = waits();
  SECTION("no window") {
    leave_crashed_session(dir);
    options.resume_window_ms = 0;
  }
  SECTION("an operator recovers by hand") {
    leave_crashed_session(dir);
    options.leaves_recovering = false;
  }
  SECTION("the provider had not shown its session") { leave_crashed_session(dir, false); }
  const auto report = maintenance::recover(dir / "v.db", 50'000, false, {}, options);
  CHECK(report.recovering.empty());
  CHECK(report.waiting.empty());
  CHECK(report.attempts.size() == 1);
  const auto view = rows::TranscriptStore(dir / "v.db").transcript("s1");
  CHECK(view->status == SessionStatus::final);
  CHECK(view->close_reason == CloseReason::crash_recovered);
}

TEST_CASE("each crash in the window starts it again, but not for ever", "[P7][P14][recovery]") {
  const TempDir dir;
  leave_crashed_session(dir);
  TimeMs now = 50'000;
  for (int starts = 1; starts <= maintenance::recoveries_max; ++starts) {
    INFO(starts);
    const auto report = start(dir / "v.db", now);
    REQUIRE(report.recovering.size() == 1);
    CHECK(report.recovering[0].interrupted == (starts == 1 ? 1 : 0));
    CHECK(number(dir / "v.db", "SELECT suspended_at FROM attempt") == now);
    // The loss of the connection is journaled once.
    CHECK(number(dir / "v.db", "SELECT count(*) FROM journal") == 5);
    // A start that has to recover again, for example on a full disk, counts once.
    maintenance::RecoveryOptions again = waits();
    again.again = true;
    begin_again(dir / "v.db");
    maintenance::recover(dir / "v.db", now + 1, false, {}, again);
    CHECK(number(dir / "v.db", "SELECT recoveries FROM attempt") == starts);
    begin_again(dir / "v.db");
    now += 10 * window_ms;
  }
  const auto last = start(dir / "v.db", now);
  CHECK(last.recovering.empty());
  CHECK(last.attempts.size() == 1);
  const auto view = rows::TranscriptStore(dir / "v.db").transcript("s1");
  CHECK(view->status == SessionStatus::final);
  CHECK(view->ended_at == 1300);
}

TEST_CASE("an attempt that waited through an orderly stop waits for the next process too",
          "[P7][P14][recovery]") {
  const TempDir dir;
  leave_crashed_session(dir);
  start(dir / "v.db", 50'000);
  NextProcess(dir / "v.db").close();
  const auto report = start(dir / "v.db", 90'000);
  CHECK(report.recovering.size() == 1);
  CHECK(number(dir / "v.db", "SELECT suspended_at FROM attempt") == 90'000);
}

TEST_CASE("journal rows that an attempt still needs are kept, unreadable ones also aside",
          "[P7][P14][recovery]") {
  const TempDir dir;
  leave_crashed_session(dir);
  {
    sqlite::Database database(dir / "v.db");
    database.run("UPDATE journal SET body = x'0102030405' WHERE at = 1050");
  }
  CHECK(start(dir / "v.db", 50'000).unreadable_rows == 1);
  CHECK(number(dir / "v.db", "SELECT count(*) FROM unreadable") == 1);
  CHECK(number(dir / "v.db", "SELECT count(*) FROM journal") == 5);
  begin_again(dir / "v.db");
  start(dir / "v.db", 60'000);
  CHECK(number(dir / "v.db", "SELECT count(*) FROM unreadable") == 1);
}

TEST_CASE("a check finds nothing wrong with attempts that wait", "[P7][P14][recovery]") {
  const TempDir dir;
  leave_crashed_session(dir);
  start(dir / "v.db", 50'000);
  CHECK(number(dir / "v.db", "SELECT clean FROM meta") == 1);
  for (const auto& finding : maintenance::check_file(dir / "v.db", false).findings) {
    INFO(finding.what);
    CHECK(finding.count == 0);
  }
}
