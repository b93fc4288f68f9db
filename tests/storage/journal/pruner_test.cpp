// Pruning: rows without use go, also behind a long attempt; no row of an open attempt goes, and
// none that a database elsewhere lacks.
#include <map>
#include <random>
#include <set>

#include <catch2/catch.hpp>

#include "storage/journal/segment.hpp"
#include "storage/journal/sqlite_journal.hpp"
#include "storage/maintenance/recovery.hpp"
#include "storage/rows/copies.hpp"
#include "storage/rows/row_writer.hpp"
#include "storage/rows/transcript_store.hpp"
#include "storage/sqlite/database.hpp"
#include "tests/support/fault_vfs.hpp"
#include "tests/support/journal_driver.hpp"
#include "tests/support/rounds.hpp"
#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::test;
using journal::JournalOptions;
using journal::SqliteJournal;
using transcript::AttemptId;
using transcript::Sequence;

namespace {

namespace fs = std::filesystem;
constexpr std::int64_t very_long = 1'000'000;

transcript::Ending at_last() {
  transcript::Ending ending;
  ending.ended_at = 9000;
  return ending;
}

class Pruned {
 public:
  explicit Pruned(JournalOptions options = {}) : options_(std::move(options)) { open(); }

  void open() {
    options_.file = file();
    maintenance::recover(file(), 5000, false, options_.fallback_dir,
                         {.resume_window_ms = window_ms});
    watch = std::make_unique<JournalWatch>();
    journal = std::make_unique<SqliteJournal>(options_, *watch);
  }
  void close() { journal.reset(); }
  void sync() {
    execute(*journal, [](sqlite::Database&) {});
  }
  fs::path file() const { return dir_ / "v.db"; }

  AttemptId begin(const std::string& session) {
    const auto opened = open_attempt(*journal, {session, "ann", "{}", "{}", "m", 1000});
    if (opened.error) throw std::runtime_error(opened.error->what());
    open_attempts.insert(opened.attempt.attempt);
    return opened.attempt.attempt;
  }
  Sequence say(AttemptId attempt) {
    const Sequence seq = journal->append(attempt, 2000, delta("i1", "word"));
    said[seq] = attempt;
    return seq;
  }
  void end(AttemptId attempt) {
    journal->close(attempt, at_last());
    open_attempts.erase(attempt);
  }
  void note_shipped(Sequence upto) {
    std::promise<void> noted;
    journal->note_shipped(upto, false, [&](bool, const store::StorageError* why) {
      if (!why) shipped = std::max(shipped, upto);
      noted.set_value();
    });
    noted.get_future().get();
  }

  std::set<Sequence> rows() const {
    sqlite::Database database(file(), {.access = sqlite::Access::read_only});
    sqlite::Query query = database.query("SELECT seq FROM journal");
    std::set<Sequence> found;
    while (query.step()) found.insert(static_cast<Sequence>(query.integer(0)));
    return found;
  }
  /// Rows that are needed and not there.
  std::size_t lost() const {
    const auto there = rows();
    std::size_t count = 0;
    for (const auto& [seq, attempt] : said)
      if (needed(seq, attempt) && !there.contains(seq)) ++count;
    return count;
  }
  bool needed(Sequence seq, AttemptId attempt) const {
    return open_attempts.contains(attempt) || (options_.track_changes && seq > shipped);
  }
  std::size_t needed_rows() const {
    std::size_t count = 0;
    for (const auto& [seq, attempt] : said) count += needed(seq, attempt);
    return count;
  }

  std::map<Sequence, AttemptId> said;
  std::set<AttemptId> open_attempts;
  Sequence shipped = 0;
  std::int64_t window_ms = 0;  ///< in which a suspended attempt may be resumed
  std::unique_ptr<JournalWatch> watch;
  std::unique_ptr<SqliteJournal> journal;

 private:
  TempDir dir_;
  JournalOptions options_;
};

}  // namespace

TEST_CASE("one long attempt does not keep the rows of all others", "[P14][prune]") {
  FaultVfs disk;
  disk.skip_syncs(true);
  Pruned it;
  const auto longest = it.begin("longest");
  for (int i = 0; i < 40; ++i) {
    const auto attempt = it.begin("s" + std::to_string(i));
    for (int row = 0; row < 200; ++row) {
      it.say(attempt);
      if (row % 10 == 0) it.say(longest);
    }
    it.end(attempt);
  }
  it.sync();
  const std::size_t needed = it.needed_rows();
  CHECK(needed == 800);
  CHECK(becomes([&] { return it.rows().size() < 2 * needed + 1000; }));
  CHECK(it.lost() == 0);
  it.end(longest);
  CHECK(becomes([&] { return it.rows().empty(); }));
}

TEST_CASE("a quiet journal does not keep the rows of attempts that have ended", "[P14][prune]") {
  FaultVfs disk;
  disk.skip_syncs(true);
  Pruned it;
  const auto longest = it.begin("longest");
  std::vector<AttemptId> attempts;
  for (int i = 0; i < 20; ++i) attempts.push_back(it.begin("s" + std::to_string(i)));
  for (int row = 0; row < 400; ++row) {
    for (const auto attempt : attempts) it.say(attempt);
    it.say(longest);
  }
  it.sync();
  for (const auto attempt : attempts) it.end(attempt);
  it.sync();
  // Nothing more is written.
  CHECK(becomes([&] { return it.rows().size() < 400 + 2000; }));
  CHECK(it.lost() == 0);
}

TEST_CASE("a start deletes what an earlier process left behind a suspended attempt",
          "[P14][prune]") {
  FaultVfs disk;
  disk.skip_syncs(true);
  Pruned it;
  const auto suspended = it.begin("waits");
  it.say(suspended);
  const auto ended = it.begin("s1");
  for (int i = 0; i < 3000; ++i) it.say(ended);
  it.journal->suspend(suspended, {"{}", 4999});
  it.window_ms = very_long;
  it.close();
  {
    sqlite::Database database(it.file());
    rows::finalise_attempt(database, ended, at_last());
  }
  it.open_attempts.erase(ended);
  REQUIRE(it.rows().size() == 3001);
  it.open();
  CHECK(becomes([&] { return it.rows().size() == 1; }));
  CHECK(it.lost() == 0);
}

TEST_CASE("an attempt that was only posted to keeps no rows of others", "[P14][prune]") {
  FaultVfs disk;
  disk.skip_syncs(true);
  Pruned it;
  execute(*it.journal, [](sqlite::Database& database) {
    rows::create_session(database, {.id = "posted", .user = "ann", .now = 1});
    store::PostedCopy posted;
    posted.session_id = "posted";
    posted.copy.writer = "agent";
    posted.copy.turns.emplace_back();
    rows::keep_copy(database, posted);
  });
  it.close();
  it.open();
  const auto attempt = it.begin("s1");
  for (int i = 0; i < 50; ++i) it.say(attempt);
  it.end(attempt);
  CHECK(becomes([&] { return it.rows().empty(); }));
}

TEST_CASE("rows that a database elsewhere lacks stay, and others for the time they are kept",
          "[P14][prune]") {
  FaultVfs disk;
  disk.skip_syncs(true);
  const bool at_once = GENERATE(true, false);
  Pruned it({.track_changes = true, .keep_shipped_ms = at_once ? 0 : very_long});
  const auto attempt = it.begin("s1");
  for (int i = 0; i < 2500; ++i) it.say(attempt);
  const Sequence half = std::next(it.said.begin(), 1200)->first;
  it.end(attempt);
  it.sync();
  // Each change is a step of the writer, which prunes between them.
  for (int i = 0; i < 20; ++i) it.sync();
  CHECK(it.rows().size() == 2500);
  it.note_shipped(half);
  if (at_once) {
    CHECK(becomes([&] { return it.rows().size() == 2500 - 1201; }));
    CHECK(*it.rows().begin() > half);
  }
  for (int i = 0; i < 20; ++i) it.sync();
  CHECK(it.rows().size() == (at_once ? 2500 - 1201 : 2500));
  CHECK(it.lost() == 0);
  // After a restart the rows are kept as long again.
  it.close();
  it.open();
  for (int i = 0; i < 20; ++i) it.sync();
  CHECK(it.rows().size() == (at_once ? 2500 - 1201 : 2500));
}

TEST_CASE("recovery keeps the rows that a database elsewhere lacks", "[P14][prune][recovery]") {
  FaultVfs disk;
  disk.skip_syncs(true);
  Pruned it({.track_changes = true, .keep_shipped_ms = 0});
  const auto attempt = it.begin("s1");
  for (int i = 0; i < 100; ++i) it.say(attempt);
  it.sync();
  it.close();  // with `attempt` open, as after a kill
  it.open_attempts.clear();
  it.open();
  for (int i = 0; i < 20; ++i) it.sync();
  CHECK(it.rows().size() == 100);
  it.note_shipped(it.said.rbegin()->first);
  CHECK(becomes([&] { return it.rows().empty(); }));
}

TEST_CASE("no needed row is deleted, also not around crashes and troubles of the disk",
          "[P14][prune]") {
  const unsigned seeds = from_environment("VERBATIM_PRUNE_SEEDS", rounds(3));
  for (unsigned seed = 1; seed <= seeds; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const auto below = [&](unsigned end) { return random() % end; };
    FaultVfs disk;
    disk.skip_syncs(true);
    const TempDir other_disk;
    Pruned it({.full_retry_ms = 1,
               .fallback_dir = other_disk.path(),
               .track_changes = seed % 2 == 0,
               .keep_shipped_ms = 0});
    it.close();
    disk.confine(it.file().parent_path().string());
    it.open();
    int sessions = 0;
    std::vector<AttemptId> attempts;
    for (int i = 0; i < 400; ++i) {
      const unsigned what = below(20);
      if (what < 3 && it.journal->state() == store::JournalState::working)
        attempts.push_back(it.begin("s" + std::to_string(++sessions)));
      if (attempts.empty()) continue;
      const auto at = attempts.begin() + below(static_cast<unsigned>(attempts.size()));
      if (what == 4) {
        it.end(*at);
        attempts.erase(at);
      } else if (what == 5) {
        it.sync();
        it.note_shipped(below(static_cast<unsigned>(it.journal->durable()) + 1));
      } else if (what == 6 && below(4) == 0) {
        disk.fill_disk(true);
        it.sync();
        for (const auto attempt : attempts) it.say(attempt);
        it.sync();
        disk.fill_disk(false);
        REQUIRE(becomes([&] { return it.journal->state() == store::JournalState::working; }));
      } else if (what == 7 && below(4) == 0) {
        it.sync();
        it.close();  // as after a kill: all that are open end
        it.open_attempts.clear();
        attempts.clear();
        it.open();
      } else {
        for (unsigned rows = below(60); rows > 0; --rows) it.say(*at);
      }
      if (below(10) == 0) {
        it.sync();
        REQUIRE(it.lost() == 0);
      }
    }
    it.sync();
    CHECK(it.lost() == 0);
    CHECK(becomes([&] { return it.rows().size() <= 2 * it.needed_rows() + 2000; }));
  }
}
