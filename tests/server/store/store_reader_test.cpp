// A long read of the server itself is named and can be interrupted: while it holds the WAL, the WAL
// only grows.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <thread>

#include <catch2/catch.hpp>

#include "server/store/store_reader.hpp"
#include "storage/sqlite/database.hpp"
#include "tests/support/journal_driver.hpp"
#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::server;
using test::becomes;

namespace {

using Outcome = std::variant<std::int64_t, storage::StorageError>;

/// Runs a statement that returns one number, on the reader's thread.
Outcome read(StoreReader& reader, const char* sql, const char* what) {
  asio::io_context io;
  std::optional<Outcome> outcome;
  const auto number = [sql](storage::TranscriptStore& store) {
    storage::Query row = store.database().query(sql);
    row.step();
    return row.integer(0);
  };
  asio::co_spawn(
      io,
      [&]() -> Awaitable<void> {
        outcome = co_await reader.run<std::int64_t>(io.get_executor(), number, what);
      },
      asio::detached);
  io.run();
  return outcome.value();
}

constexpr const char* endless =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

}  // namespace

TEST_CASE("a read that lasts too long is named and broken off; the next one is served",
          "[P11][store_reader]") {
  const test::TempDir dir;
  storage::Database made(dir / "v.db", {.access = storage::Access::create});
  StoreReader reader(dir / "v.db");
  CHECK_FALSE(reader.under_way());
  std::optional<Outcome> outcome;
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
  const auto* const error = std::get_if<1>(&*outcome);
  REQUIRE(error);
  CHECK(error->failure() == storage::Failure::busy);
  CHECK_THAT(error->what(),
             Catch::Contains("GET /v1/sessions") && Catch::Contains("journal.read_max"));
  CHECK(std::get<0>(read(reader, "SELECT 7", "another")) == 7);
}
