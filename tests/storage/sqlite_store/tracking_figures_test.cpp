// Figures, not a test: the processor time that tracked changes cost, and that a sweep of the
// journal costs. Run it on a quiet machine:
//
//   storage_tests "[.figures]"
#include <sys/resource.h>

#include <cstdio>

#include <catch2/catch.hpp>

#include "storage/rows/row_writer.hpp"
#include "tests/support/fault_vfs.hpp"
#include "tests/support/shipped_store.hpp"

using namespace verbatim;
using namespace verbatim::test;

namespace {

double cpu_us() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto us = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return us(used.ru_utime) + us(used.ru_stime);
}

void report(const char* what, bool tracked, std::size_t count, double since) {
  std::printf("%-34s %-9s %7.2f us each\n", what, tracked ? "tracked" : "untracked",
              (cpu_us() - since) / static_cast<double>(count));
}

transcript::Event word() { return delta("i1", "a word of some forty bytes, as they come"); }

}  // namespace

TEST_CASE("figures of change tracking", "[.figures]") {
  FaultVfs disk;
  disk.skip_syncs(true);
  for (const bool tracked : {false, true, false, true}) {
    Shipped it({.keep_shipped_ms = an_hour});
    if (!tracked) it.open_again(false);
    std::vector<transcript::AttemptId> attempts;
    for (int i = 0; i < 50; ++i) attempts.push_back(it.begin("s" + std::to_string(i)));
    it.sync();
    constexpr std::size_t many = 40'000;
    double since = cpu_us();
    for (std::size_t i = 0; i < many; ++i) {
      it.journal->append(attempts[i % 50], 2000, word());
      if (i % 1000 == 999) it.sync();
    }
    report("an event", tracked, many, since);
    since = cpu_us();
    for (std::size_t i = 0; i < many / 4; ++i) {
      it.journal->settle(attempts[i % 50],
                         turn(0, "i" + std::to_string(i / 50), "a turn of a few words"));
      if (i % 1000 == 999) it.sync();
    }
    report("a settled turn", tracked, many / 4, since);
    if (tracked) {
      std::size_t read = 0;
      since = cpu_us();
      for (transcript::Sequence after = 0;;) {
        const auto shipment = it.shipping->read_shipment(after, {}, false).value();
        read += shipment.events.size();
        after = shipment.upto;
        if (!shipment.more) break;
      }
      report("an event read for shipping", tracked, read, since);
    }
    since = cpu_us();
    for (const auto attempt : attempts) {
      transcript::Ending ending = ending_with(200, 3000);
      it.journal->close(attempt, std::move(ending));
    }
    it.sync();
    report("the end of an attempt of 200 turns", tracked, attempts.size(), since);
  }
}

TEST_CASE("figures of a sweep", "[.figures]") {
  FaultVfs disk;
  disk.skip_syncs(true);
  const TempDir dir;
  sqlite::Database database(dir / "v.db", {.access = sqlite::Access::create});
  // Rows of 100 attempts in turn; half of the attempts have ended.
  constexpr transcript::Sequence rows = 200'000;
  {
    sqlite::Transaction transaction(database);
    std::vector<transcript::AttemptId> attempts;
    for (int i = 0; i < 100; ++i)
      attempts.push_back(
          rows::insert_attempt(database, {"s" + std::to_string(i), "ann", "{}", "{}", "m", 1}, 1)
              .attempt);
    for (transcript::Sequence seq = 1; seq <= rows; ++seq)
      rows::insert_event(database, seq, attempts[seq % 100], 2000, std::string(110, 'b'));
    for (std::size_t i = 0; i < 100; i += 2)
      rows::finalise_attempt(database, attempts[i], ending_with(1, 3000));
    transaction.commit();
  }
  double since = cpu_us();
  for (transcript::Sequence next = 1; next <= rows; next += 1000)
    rows::look_for_ended(database, next, next + 999, 1000);
  report("a row that is looked at", false, rows, since);
  database.checkpoint(sqlite::Database::Checkpoint::truncate);
  since = cpu_us();
  std::size_t deleted = 0;
  std::size_t log_bytes = 0;
  for (transcript::Sequence next = 1; next <= rows; next += 1000) {
    sqlite::Transaction transaction(database);
    deleted += static_cast<std::size_t>(rows::delete_events_of_ended(database, next, next + 999));
    const std::size_t before = database.wal_bytes();
    transaction.commit();
    log_bytes += database.wal_bytes() - before;
  }
  report("a row that is deleted by a sweep", false, deleted, since);
  std::printf("%zu bytes of the log for each\n", log_bytes / deleted);
}
