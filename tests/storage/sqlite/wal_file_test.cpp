// A damaged WAL is distinguished from one that a power cut or a kill left.
#include "storage/sqlite/wal_file.hpp"

#include <cstring>
#include <random>

#include <catch2/catch.hpp>

#include "storage/maintenance/backup.hpp"
#include "storage/maintenance/check.hpp"
#include "storage/maintenance/recovery.hpp"
#include "tests/support/store_folder.hpp"

using namespace verbatim;
using namespace verbatim::test;
using store::LogState;

namespace {

namespace fs = std::filesystem;

constexpr std::size_t log_header = 32;
constexpr std::size_t frame_header = 24;
constexpr std::size_t frame_bytes = frame_header + 4096;

std::size_t frames_in(const fs::path& log) {
  return (fs::file_size(log) - log_header) / frame_bytes;
}

std::size_t offset_of(std::size_t frame) { return log_header + frame * frame_bytes; }

/// For each frame with the WAL's own salts: whether it ends a transaction.
std::vector<bool> commits_in(const fs::path& log) {
  const std::string bytes = bytes_of(log);
  std::vector<bool> commits;
  for (std::size_t i = 0; i < frames_in(log); ++i) {
    if (bytes.compare(offset_of(i) + 8, 8, bytes, 16, 8) != 0) break;
    commits.push_back(bytes.compare(offset_of(i) + 4, 4, std::string(4, '\0')) != 0);
  }
  return commits;
}

std::optional<store::LogFinding> finding(const fs::path& file, bool clean = false) {
  return sqlite::judge_log(file, sqlite::read_log(file), clean);
}

/// A killed store whose last transaction is long: `large` bytes of one word.
void leave_long_transaction(const fs::path& file, std::size_t large) {
  const TempDir dir;
  JournalWatch watch;
  journal::SqliteJournal journal({.file = dir / "live.db"}, watch);
  const auto attempt =
      open_attempt(journal, {.session_id = "s1", .user = "ann", .model = "m", .now = 1000})
          .attempt.attempt;
  REQUIRE(
      watch.wait_durable(journal.append(attempt, 1001, placed("i1", transcript::Role::assistant))));
  for (int i = 0; i < 3; ++i)
    REQUIRE(watch.wait_durable(journal.append(attempt, 1002, delta("i1", "before "))));
  REQUIRE(watch.wait_durable(journal.append(attempt, 1003, delta("i1", std::string(large, 'x')))));
  copy_store(dir / "live.db", file);
}

std::string text_of(const fs::path& file) {
  const auto view = rows::TranscriptStore(file).transcript("s1");
  REQUIRE(view);
  return view->turns.empty() ? "" : view->turns.at(0).text.utf8();
}

}  // namespace

TEST_CASE("a WAL that a kill leaves is whole, and nothing is reported", "[P7][wal_file]") {
  const TempDir dir;
  const fs::path file = dir / "v.db";
  leave_killed_store(file);
  const sqlite::LogReport report = sqlite::read_log(file);
  CHECK(report.state == LogState::whole);
  CHECK(report.frames == commits_in(sqlite::log_of(file)).size());
  CHECK(report.frames_by_index == report.frames);
  CHECK_FALSE(finding(file));
  CHECK(maintenance::recover(file, 9).logs.empty());
}

TEST_CASE("one flipped bit anywhere in a WAL is reported", "[P7][wal_file]") {
  const TempDir dir;
  const fs::path whole = dir / "whole.db";
  leave_killed_store(whole);
  const auto commits = commits_in(sqlite::log_of(whole));
  REQUIRE(commits.size() >= 12);
  // Page number, size after commit, both salts, both checksums; then the page's begin, middle and
  // end.
  const std::vector<std::size_t> places = {3, 7, 9, 13, 17, 22, 24, 2000, frame_bytes - 1};
  const bool with_index = GENERATE(true, false);
  // The last three transactions. Without the index, two good transactions behind the damage are
  // needed to show that the damaged one was synced: the damage may have hit the checksum of the
  // first.
  std::size_t evident_before = 0;
  for (std::size_t i = 0, ends = 0; i < commits.size(); ++i)
    if (commits[commits.size() - 1 - i] && ++ends == 4) evident_before = commits.size() - i;
  REQUIRE(evident_before > 6);
  for (std::size_t frame = 0; frame < commits.size(); ++frame) {
    for (const std::size_t place : places) {
      if (!with_index && frame >= evident_before) continue;
      CAPTURE(with_index, frame, place);
      const TempDir one;
      const fs::path file = one / "v.db";
      copy_store(whole, file);
      flip(sqlite::log_of(file), offset_of(frame) + place);
      if (!with_index) fs::remove(sqlite::index_of(file));
      const auto found = finding(file);
      REQUIRE(found);
      CHECK(found->lost);
      CHECK(found->state == LogState::damaged);
      CHECK(found->log == sqlite::log_of(file));
      CHECK_THAT(found->what, Catch::Contains("cut short after " + std::to_string(frame)));
    }
  }
}

TEST_CASE("each byte of a WAL's header matters", "[P7][wal_file]") {
  const TempDir dir;
  const fs::path whole = dir / "whole.db";
  leave_killed_store(whole);
  for (std::size_t at = 0; at < log_header; ++at) {
    CAPTURE(at);
    const TempDir one;
    const fs::path file = one / "v.db";
    copy_store(whole, file);
    flip(sqlite::log_of(file), at);
    const auto found = finding(file);
    REQUIRE(found);
    CHECK(found->state == LogState::unreadable);
    CHECK(found->lost);
  }
}

TEST_CASE("a damaged header loses nothing once the whole WAL has been moved", "[P7][wal_file]") {
  const TempDir dir;
  const fs::path file = dir / "v.db";
  leave_killed_store(file);
  {
    sqlite::Database database(file);
    REQUIRE(database.checkpoint(sqlite::Database::Checkpoint::passive));
  }
  flip(sqlite::log_of(file), 17);
  const auto found = finding(file);
  REQUIRE(found);
  CHECK(found->state == LogState::unreadable);
  CHECK_FALSE(found->lost);
}

TEST_CASE("a WAL of noise or zeros is reported", "[P7][wal_file]") {
  const TempDir dir;
  const fs::path file = dir / "v.db";
  leave_killed_store(file);
  const std::string noise = GENERATE(std::string(40000, '\0'), std::string(40000, '\x37'));
  put_bytes(sqlite::log_of(file), noise);
  const auto found = finding(file);
  REQUIRE(found);
  CHECK(found->state == LogState::unreadable);
  CHECK(found->lost);
}

TEST_CASE("a transaction torn by a power cut is not taken for damage", "[P7][wal_file][power]") {
  const TempDir dir;
  const fs::path whole = dir / "whole.db";
  leave_long_transaction(whole, 60'000);
  const std::string log = bytes_of(sqlite::log_of(whole));
  const auto commits = commits_in(sqlite::log_of(whole));
  std::size_t begin = commits.size() - 1;
  while (!commits[begin - 1]) --begin;
  REQUIRE(commits.size() - begin > 10);
  std::mt19937 random(7);
  std::size_t behind = 0;
  for (int cut = 0; cut < 300; ++cut) {
    CAPTURE(cut);
    // Its sectors are missing, or hold their earlier bytes.
    std::string torn = log;
    for (std::size_t at = (offset_of(begin) / 512 + 1) * 512; at < torn.size(); at += 512)
      if (random() % 16 == 0)
        torn.replace(at, std::min<std::size_t>(512, torn.size() - at), 512,
                     static_cast<char>(random() % 2 ? 0 : 0x5a));
    if (random() % 2) torn.resize(offset_of(begin) + random() % (torn.size() - offset_of(begin)));
    const TempDir one;
    const fs::path file = one / "v.db";
    fs::copy_file(whole, file);
    put_bytes(sqlite::log_of(file), torn);
    const sqlite::LogReport report = sqlite::read_log(file);
    CHECK((report.state == LogState::whole || report.state == LogState::cut_short));
    const auto found = sqlite::judge_log(file, report, false);
    if (found) CHECK_FALSE(found->lost);
    behind += report.frames_behind;
  }
  CHECK(behind > 0);  // otherwise no transaction was torn in its middle
}

TEST_CASE("frames of an older WAL behind the current one mean nothing", "[P7][wal_file]") {
  const TempDir dir;
  const fs::path file = dir / "v.db";
  {
    JournalWatch watch;
    journal::SqliteJournal journal({.file = dir / "live.db"}, watch);
    const auto attempt =
        open_attempt(journal, {.session_id = "s1", .user = "ann", .model = "m", .now = 1000})
            .attempt.attempt;
    for (int i = 0; i < 20; ++i)
      REQUIRE(watch.wait_durable(journal.append(attempt, 1002, delta("i1", "older "))));
    sqlite::Database other(dir / "live.db");
    const fs::path log = sqlite::log_of(dir / "live.db");
    const auto before = commits_in(log).size();
    // When all is moved, the next commit begins at the start of the file.
    REQUIRE(becomes([&] {
      other.checkpoint(sqlite::Database::Checkpoint::passive);
      REQUIRE(watch.wait_durable(journal.append(attempt, 1003, delta("i1", "newer "))));
      return commits_in(log).size() < before;
    }));
    copy_store(dir / "live.db", file);
  }
  const auto present = commits_in(sqlite::log_of(file)).size();
  REQUIRE(frames_in(sqlite::log_of(file)) > present + 2);
  CHECK(sqlite::read_log(file).state == LogState::whole);
  CHECK_FALSE(finding(file));
  flip(sqlite::log_of(file), offset_of(present + 1) + 2000);
  CHECK_FALSE(finding(file));
  // Torn in the middle of the frame that was being written over an older one.
  flip(sqlite::log_of(file), offset_of(present) + 9);
  CHECK_FALSE(finding(file));
}

TEST_CASE("a WAL that is missing or empty after a crash is reported", "[P7][wal_file]") {
  const TempDir dir;
  const fs::path file = dir / "v.db";
  leave_killed_store(file);
  SECTION("missing") {
    fs::remove(sqlite::log_of(file));
    SECTION("its index is there") {}
    SECTION("its index is gone") { fs::remove(sqlite::index_of(file)); }
    const auto found = finding(file);
    REQUIRE(found);
    CHECK(found->state == LogState::missing);
    CHECK(found->lost);
    CHECK_FALSE(finding(file, true));
  }
  SECTION("without a byte, while its index counts frames") {
    put_bytes(sqlite::log_of(file), "");
    const auto found = finding(file);
    REQUIRE(found);
    CHECK(found->state == LogState::empty);
    CHECK(found->lost);
  }
  SECTION("without a byte, and nothing else is known") {
    put_bytes(sqlite::log_of(file), "");
    fs::remove(sqlite::index_of(file));
    const auto found = finding(file);
    REQUIRE(found);
    CHECK(found->state == LogState::empty);
    CHECK_FALSE(found->lost);
  }
  SECTION("emptied in order, just before the kill") {
    {
      sqlite::Database database(file);
      REQUIRE(database.checkpoint(sqlite::Database::Checkpoint::truncate));
    }
    const auto found = finding(file);
    REQUIRE(found);
    CHECK_FALSE(found->lost);
  }
}

TEST_CASE("a WAL that is lost right after a start is reported", "[P7][wal_file]") {
  const TempDir dir;
  const fs::path file = dir / "v.db";
  {
    JournalWatch watch;
    journal::SqliteJournal journal({.file = file}, watch);
  }
  const TempDir other;
  {
    JournalWatch watch;
    journal::SqliteJournal journal({.file = file}, watch);
    open_attempt(journal, {.session_id = "s1", .user = "ann", .model = "m", .now = 1000});
    fs::copy_file(file, other / "v.db");
  }
  const auto report = maintenance::recover(other / "v.db", 9);
  CHECK_FALSE(report.clean);
  REQUIRE(report.logs.size() == 1);
  CHECK(report.logs.at(0).state == LogState::missing);
  CHECK(report.logs.at(0).lost);
}

TEST_CASE("nothing is reported after an orderly end or for a restored backup", "[P7][wal_file]") {
  const TempDir dir;
  const fs::path file = dir / "v.db";
  leave_killed_store(file);
  maintenance::back_up(file, dir / "backup.db");
  CHECK(maintenance::recover(dir / "backup.db", 9).logs.empty());
  CHECK(maintenance::recover(file, 9).logs.empty());
  CHECK_FALSE(fs::exists(sqlite::log_of(file)));
  CHECK(maintenance::recover(file, 10).logs.empty());
  CHECK(maintenance::check_file(file, false).logs.empty());
}

TEST_CASE("a command that writes into a crashed store leaves it as one", "[P7][wal_file]") {
  const TempDir dir;
  const fs::path file = dir / "v.db";
  leave_killed_store(file);
  {
    sqlite::Database database(file);
    sqlite::Transaction transaction(database);
    database.run("UPDATE session SET metadata = '{\"a\":1}'");
    transaction.commit();
  }
  CHECK(maintenance::recover(file, 9).logs.empty());
}

TEST_CASE("a recovery and a check report a WAL that was cut short, and continue with the rest",
          "[P7][wal_file]") {
  const TempDir dir;
  const fs::path file = dir / "v.db";
  leave_killed_store(file);
  const auto commits = commits_in(sqlite::log_of(file));
  flip(sqlite::log_of(file), offset_of(commits.size() - 4) + 100);

  const maintenance::StoreCheck check = maintenance::check_file(file, false);
  REQUIRE(check.logs.size() == 1);
  CHECK(check.integrity == "ok");
  CHECK_FALSE(check.sound());
  const auto foreseen = maintenance::recover(file, 9, true);
  const auto report = maintenance::recover(file, 9);
  for (const auto& one : {foreseen, report}) {
    CHECK_FALSE(one.clean);
    REQUIRE(one.logs.size() == 1);
    CHECK(one.logs.at(0).state == LogState::damaged);
  }
  const std::string kept = text_of(file);
  CHECK_THAT(kept, Catch::StartsWith("word0 "));
  CHECK_THAT(kept, !Catch::Contains("word11"));
  CHECK(maintenance::recover(file, 10).clean);
}

TEST_CASE("a damaged WAL is reported although its database was closed in order", "[P7][wal_file]") {
  const TempDir dir;
  const fs::path file = dir / "v.db";
  {
    JournalWatch watch;
    journal::SqliteJournal journal({.file = file}, watch);
  }
  REQUIRE(maintenance::recover(file, 1).clean);
  const TempDir other;
  {
    // The WAL of another run, beside the database that was closed afterwards.
    JournalWatch watch;
    journal::SqliteJournal journal({.file = file}, watch);
    open_attempt(journal, {.session_id = "s1", .user = "ann", .model = "m", .now = 1000});
    fs::copy_file(sqlite::log_of(file), other / "v.db-wal");
    fs::copy_file(sqlite::index_of(file), other / "v.db-shm");
  }
  fs::copy_file(file, other / "v.db");
  flip(other / "v.db-wal", offset_of(0) + 50);
  const auto report = maintenance::recover(other / "v.db", 9);
  CHECK_FALSE(report.clean);
  REQUIRE(report.logs.size() == 1);
  CHECK(report.logs.at(0).lost);
}
