// Power cuts: before, during, after and between syncs. Any of the unsynced sectors may have reached
// the disk or not. Every row that was reported durable must be there, in order, and no row that was
// never submitted.
//
// VERBATIM_POWER_SEEDS=100 tries that many states of the disk at each place (default: 2; under a
// sanitizer 1); VERBATIM_POWER_FROM=7 begins with that seed.
#include <algorithm>
#include <future>
#include <random>

#include <catch2/catch.hpp>

#include "storage/journal/sqlite_journal.hpp"
#include "storage/maintenance/recovery.hpp"
#include "storage/rows/webhook_outbox.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite_store/sqlite_shipping.hpp"
#include "tests/support/conversations.hpp"
#include "tests/support/power_cut.hpp"
#include "tests/support/rounds.hpp"
#include "tests/support/shipment_model.hpp"
#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::test;
using journal::SqliteJournal;
using sqlite::Durability;
using transcript::Sequence;

namespace {

namespace fs = std::filesystem;

const std::uint32_t seeds = from_environment("VERBATIM_POWER_SEEDS", rounds(2));
const std::uint32_t first_seed = from_environment("VERBATIM_POWER_FROM", 1);

/// A report to a listener, and how many disk operations had happened by then.
struct Promise {
  std::size_t at;
  Sequence durable;
};

class Witness final : public store::JournalListener {
 public:
  explicit Witness(const DiskLog& log) : log_(log) {}
  void on_durable(Sequence up_to) override {
    promises.push_back({log_.now(), up_to});
    watch.on_durable(up_to);
  }
  void on_failed(store::Failure failure, const std::string& message) override {
    watch.on_failed(failure, message);
  }
  JournalWatch watch;
  std::vector<Promise> promises;

 private:
  const DiskLog& log_;
};

struct RecordedRun {
  std::vector<DiskOperation> operations;
  std::vector<Promise> promises;
  Expected expected;
};

/// One run of a journal, from making the file to the orderly end.
RecordedRun live_once(FaultVfs& disk, Durability durability) {
  const TempDir dir;
  const fs::path file = dir / "v.db";
  DiskLog log(dir.path());
  disk.report_to(&log);
  Witness witness(log);
  Expected expected;
  {
    SqliteJournal journal(
        {.file = file, .durability = durability, .wal_checkpoint_bytes = 64 * 1024}, witness);
    Conversations people(journal, witness.watch);
    people.announce();
    people.talk(60);
    std::size_t begun = log.now();
    people.close_first();
    // Idle work: rows that are not needed are deleted, and the WAL is moved into the database.
    CHECK(log.wait_for(DiskOperation::synced, file, begun));
    people.talk(60);
    people.close_all();
    begun = log.now();
    people.erase("s1");
    CHECK(log.wait_for(DiskOperation::truncated, file.string() + "-wal", begun));
    people.talk(20);
    people.close_all();
    expected = std::move(people.expected);
  }
  disk.report_to(nullptr);
  return {log.operations(), witness.promises, expected};
}

Sequence promised(const RecordedRun& life, std::size_t place) {
  const auto later =
      std::upper_bound(life.promises.begin(), life.promises.end(), place,
                       [](std::size_t limit, const Promise& one) { return limit < one.at; });
  return later == life.promises.begin() ? 0 : std::prev(later)->durable;
}

/// Calls visit(platter, place, seed) for each place of a power cut: around every sync, and between
/// two.
template <class Visit>
void cut_everywhere(Platter platter, const std::vector<DiskOperation>& operations, Visit&& visit) {
  const auto cut = [&](std::size_t place) {
    for (std::uint32_t seed = first_seed; seed < first_seed + seeds; ++seed) {
      INFO("the power went after operation " << place << ", seed " << seed);
      visit(platter, place, seed);
    }
  };
  std::mt19937 random(first_seed);
  std::size_t between = 1;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const bool sync = operations[i].kind == DiskOperation::synced;
    if (sync || i == between) cut(i);
    platter.apply(operations[i]);
    if (!sync) continue;
    cut(i + 1);
    between = i + 2 + random() % 16;
  }
  cut(operations.size());
}

std::string integrity_of(const fs::path& file) {
  sqlite::Database database(file);
  sqlite::Query check = database.query("PRAGMA integrity_check");
  return check.step() ? check.text(0) : "no answer";
}

/// Counts ended attempts whose end is announced never, or twice.
std::string wrongly_announced(const fs::path& file) {
  sqlite::Database database(file);
  sqlite::Query count = database.query(
      "SELECT count(*) FROM attempt, meta WHERE ended_at IS NOT NULL AND announced <> 0 AND "
      "(SELECT count(*) FROM message WHERE message.attempt = attempt.id AND kind = 1) <> 1");
  return count.step() ? count.text(0) : "no answer";
}

/// The findings about WALs from which durable rows are missing.
std::string lost_logs(const maintenance::RecoveryReport& report) {
  std::string said;
  for (const store::LogFinding& log : report.logs)
    if (log.lost) said += log.what + "; ";
  return said;
}

/// Recovers, checks, and recovers again with the same result. If every commit was synced, a power
/// cut is never taken for damage.
std::string recovered(const FaultVfs& disk, const fs::path& file, bool synced = true) {
  const auto report = maintenance::recover(file, 1);
  if (synced) CHECK(lost_logs(report) == "");
  CHECK(report.unreadable_rows == 0);
  CHECK(integrity_of(file) == "ok");
  CHECK(wrongly_announced(file) == "0");
  const std::uint64_t writes = disk.writes();
  CHECK(maintenance::recover(file, 2).clean);
  CHECK(disk.writes() == writes);
  return show(file);
}

struct CutOutcome {
  int cuts = 0;
  int lost = 0;
};

/// Records syncs without doing them: only the simulated cut may lose bytes.
class Hurry {
 public:
  explicit Hurry(FaultVfs& disk) : disk_(disk) { disk_.skip_syncs(true); }
  ~Hurry() { disk_.skip_syncs(false); }
  Hurry(const Hurry&) = delete;
  Hurry& operator=(const Hurry&) = delete;

 private:
  FaultVfs& disk_;
};

CutOutcome cut_power(FaultVfs& disk, const RecordedRun& life, bool synced = true) {
  const Hurry hurry(disk);
  const TempDir nothing;
  CutOutcome outcome;
  cut_everywhere(Platter(nothing.path()), life.operations,
                 [&](const Platter& platter, std::size_t place, std::uint32_t seed) {
                   const TempDir left;
                   platter.leave(left.path(), seed);
                   const std::string found = recovered(disk, left / "v.db", synced);
                   INFO(found);
                   const auto up_to = life.expected.find(found);
                   REQUIRE(up_to);
                   ++outcome.cuts;
                   outcome.lost += *up_to < promised(life, place);
                 });
  return outcome;
}

/// A database elsewhere, and how many disk operations had happened when it had that.
struct Sent {
  std::size_t at;
  ShipmentModel model;
};
struct ShippedLife {
  std::vector<DiskOperation> operations;
  std::vector<Sent> sent;
};

journal::JournalOptions tracking(const fs::path& file) {
  return {.file = file,
          .wal_checkpoint_bytes = 64 * 1024,
          .track_changes = true,
          .keep_shipped_ms = 0,
          .commit_signal = std::make_shared<journal::CommitSignal>()};
}

void ship_all(sqlite_store::SqliteShipping& shipping, ShipmentModel& model) {
  while (true) {
    const auto shipment = shipping.read_shipment(model.shipped, {.events_max = 20}, false);
    REQUIRE(shipment);
    REQUIRE(model.apply(*shipment) == "");
    if (shipment->empty() && !shipment->more) return;
  }
}

/// One run of a journal whose changes are shipped as they come.
ShippedLife ship_once(FaultVfs& disk) {
  const TempDir dir;
  const fs::path file = dir / "v.db";
  DiskLog log(dir.path());
  disk.report_to(&log);
  Witness witness(log);
  ShippedLife life;
  {
    const auto options = tracking(file);
    SqliteJournal journal(options, witness);
    sqlite_store::SqliteShipping shipping(file, journal, options.commit_signal);
    Conversations people(journal, witness.watch);
    ShipmentModel model;
    life.sent.push_back({log.now(), model});
    const auto ship = [&] {
      ship_all(shipping, model);
      life.sent.push_back({log.now(), model});
    };
    const auto note = [&] {
      people.expected.nothing_to_see();
      std::promise<void> noted;
      shipping.note_shipped(model.watermark,
                            [&](const store::StoreResult<>&) { noted.set_value(); });
      noted.get_future().get();
    };
    people.announce();
    for (int i = 0; i < 12; ++i) {
      people.talk(10);
      ship();
      if (i % 3 == 2) note();
      if (i == 4) people.close_first();
    }
    people.close_all();
    people.erase("s1");
    people.talk(20);
    ship();
    note();
    people.close_all();
    life.sent.push_back({log.now(), model});
  }
  disk.report_to(nullptr);
  life.operations = log.operations();
  return life;
}

/// Starts with a file that a cut has left, ships what the database elsewhere lacks, and returns
/// the differences that remain.
std::string lacks(const fs::path& file, ShipmentModel& elsewhere) {
  maintenance::recover(file, 1);
  JournalWatch watch;
  const auto options = tracking(file);
  SqliteJournal journal(options, watch);
  sqlite_store::SqliteShipping shipping(file, journal, options.commit_signal);
  std::promise<bool> resumed;
  elsewhere.shipped = elsewhere.watermark;
  shipping.resume_from(elsewhere.shipped, [&](const store::StoreResult<bool>& marked) {
    resumed.set_value(marked.value());
  });
  // No row was forgotten that the database elsewhere lacks.
  CHECK_FALSE(resumed.get_future().get());
  ship_all(shipping, elsewhere);
  sqlite::Database database(file, {.access = sqlite::Access::read_only});
  return differences(elsewhere, model_of(database));
}

/// Cuts the power again, in the middle of a recovery.
void cut_recovery(FaultVfs& disk, const fs::path& folder) {
  const Platter before(folder);
  DiskLog log(folder);
  disk.report_to(&log);
  maintenance::recover(folder / "v.db", 1);
  disk.report_to(nullptr);
  const std::string found = show(folder / "v.db");
  cut_everywhere(before, log.operations(),
                 [&](const Platter& platter, std::size_t, std::uint32_t seed) {
                   const TempDir left;
                   platter.leave(left.path(), seed);
                   CHECK(recovered(disk, left / "v.db") == found);
                 });
}

}  // namespace

TEST_CASE("a power cut at any moment loses nothing that was reported durable", "[P1][P7][power]") {
  FaultVfs disk;
  const RecordedRun life = live_once(disk, Durability::power);
  const CutOutcome outcome = cut_power(disk, life);
  CHECK(outcome.cuts > 150 * static_cast<int>(seeds));
  CHECK(outcome.lost == 0);
}

TEST_CASE("a power cut leaves no change that is neither undone nor marked for a database elsewhere",
          "[P14][power][shipping]") {
  FaultVfs disk;
  const ShippedLife life = ship_once(disk);
  const Hurry hurry(disk);
  const TempDir nothing;
  std::size_t next = 0;
  int cuts = 0;
  cut_everywhere(Platter(nothing.path()), life.operations,
                 [&](const Platter& platter, std::size_t place, std::uint32_t seed) {
                   if (place < next || place < life.sent.front().at) return;
                   next = place + life.operations.size() / 100;
                   const TempDir left;
                   platter.leave(left.path(), seed);
                   const auto later = std::upper_bound(
                       life.sent.begin(), life.sent.end(), place,
                       [](std::size_t limit, const Sent& one) { return limit < one.at; });
                   ShipmentModel elsewhere = std::prev(later)->model;
                   CHECK(lacks(left / "v.db", elsewhere) == "");
                   ++cuts;
                 });
  CHECK(cuts > 60);
}

TEST_CASE("without a sync for each commit a power cut loses the end, never the middle",
          "[P1][P7][power]") {
  FaultVfs disk;
  CHECK(cut_power(disk, live_once(disk, Durability::process), false).lost > 0);
}

TEST_CASE("a power cut in the middle of a recovery loses nothing either", "[P1][P7][power]") {
  FaultVfs disk;
  const RecordedRun life = live_once(disk, Durability::power);
  const Hurry hurry(disk);
  const TempDir nothing;
  std::size_t next = 0;
  cut_everywhere(Platter(nothing.path()), life.operations,
                 [&](const Platter& platter, std::size_t place, std::uint32_t seed) {
                   if (place < next) return;
                   next = place + life.operations.size() / 10;
                   const TempDir left;
                   platter.leave(left.path(), seed);
                   cut_recovery(disk, left.path());
                 });
}

TEST_CASE("a power cut while the file is being made leaves one that can be used",
          "[P1][P7][power]") {
  FaultVfs disk;
  const RecordedRun life = live_once(disk, Durability::power);
  const Hurry hurry(disk);
  const TempDir nothing;
  Platter platter(nothing.path());
  for (std::size_t place = 0; place < life.promises.at(0).at; ++place) {
    platter.apply(life.operations[place]);
    for (std::uint32_t seed = first_seed; seed < first_seed + seeds; ++seed) {
      INFO("the power went after operation " << place + 1 << ", seed " << seed);
      const TempDir left;
      platter.leave(left.path(), seed);
      CHECK(life.expected.find(recovered(disk, left / "v.db")));
      JournalWatch watch;
      SqliteJournal journal({.file = left / "v.db"}, watch);
      REQUIRE(watch.wait_durable(journal.close(
          open_attempt(journal, {.session_id = "new", .user = "u", .model = "m", .now = 1})
              .attempt.attempt,
          {})));
      CHECK(rows::TranscriptStore(left / "v.db").session("new"));
    }
  }
}
