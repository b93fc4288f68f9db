// A long read of the server itself is named and can be interrupted: while it holds the WAL, the WAL
// only grows.
#include "storage/sqlite_store/reader_thread.hpp"

#include <catch2/catch.hpp>
#include <future>
#include <thread>

#include "storage/sqlite/database.hpp"
#include "tests/support/journal_driver.hpp"
#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::rows;
using namespace verbatim::sqlite;
using namespace verbatim::sqlite_store;
using namespace verbatim::store;
using test::becomes;

namespace {

using Clock = ReaderThread::Clock;
using ReadOutcome = StoreResult<std::int64_t>;

/// Runs a statement that returns one number, on the reader's thread.
ReadOutcome read(ReaderThread& reader, const char* sql, const char* what) {
  std::promise<ReadOutcome> outcome;
  const auto number = [sql](TranscriptStore& store) {
    Query row = store.database().query(sql);
    row.step();
    return row.integer(0);
  };
  reader.run({what}, number, [&](ReadOutcome found) { outcome.set_value(std::move(found)); });
  return outcome.get_future().get();
}

constexpr const char* endless =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

}  // namespace

TEST_CASE("a read that lasts too long is named and broken off; the next one is served",
          "[P11][reader_thread]") {
  const test::TempDir dir;
  sqlite::Database made(dir / "v.db", {.access = sqlite::Access::create});
  ReaderThread reader(dir / "v.db");
  CHECK_FALSE(reader.under_way());
  std::optional<ReadOutcome> outcome;
  const auto before = Clock::now();
  std::thread asks([&] { outcome = read(reader, endless, "GET /v1/sessions"); });
  REQUIRE(becomes([&] { return reader.under_way().has_value(); }));
  CHECK(reader.under_way()->what == std::string("GET /v1/sessions"));
  CHECK_FALSE(reader.break_off_if_begun_before(before));
  // Repeated, as the server does: between two statements there is nothing to interrupt.
  CHECK(becomes([&] {
    reader.break_off_if_begun_before(Clock::time_point::max());
    return !reader.under_way();
  }));
  asks.join();
  REQUIRE(outcome);
  REQUIRE_FALSE(*outcome);
  const StorageError& error = outcome->error();
  CHECK(error.failure() == store::Failure::busy);
  CHECK_THAT(error.what(),
             Catch::Contains("GET /v1/sessions") && Catch::Contains("journal.read_max"));
  CHECK(read(reader, "SELECT 7", "another").value() == 7);
}

TEST_CASE("work for a later time runs then, and not after a stop", "[reader_thread]") {
  const test::TempDir dir;
  sqlite::Database made(dir / "v.db", {.access = sqlite::Access::create});
  ReaderThread reader(dir / "v.db");
  std::promise<void> ran;
  reader.run_at(Clock::now(), [&] { ran.set_value(); });
  CHECK(ran.get_future().wait_for(test::patience) == std::future_status::ready);
  bool too_early = false;
  reader.run_at(Clock::now() + std::chrono::hours(1), [&] { too_early = true; });
  CHECK(read(reader, "SELECT 7", "a read").value() == 7);
  reader.stop();
  CHECK_FALSE(too_early);
}
