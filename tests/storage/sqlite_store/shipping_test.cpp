// The stream for a database elsewhere: the shipments make the same rows there, also after
// crashes, failovers and troubles of the disk.
//
// VERBATIM_SHIPPING_SEEDS=500 tries that many random histories of a store (default: 4);
// VERBATIM_SHIPPING_FROM=7 begins with that seed.
#include <poll.h>

#include <catch2/catch.hpp>

#include "storage/journal/segment.hpp"
#include "storage/maintenance/backup.hpp"
#include "storage/maintenance/check.hpp"
#include "storage/rows/shipping_backlog.hpp"
#include "storage/sqlite/database.hpp"
#include "tests/support/fault_vfs.hpp"
#include "tests/support/rounds.hpp"
#include "tests/support/shipped_store.hpp"
#include "tests/support/store_folder.hpp"
#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::test;

namespace {

namespace fs = std::filesystem;

store::ShipmentLimits random_limits(Life& life) {
  return {.events_max = 1 + life.below(40), .bytes_max = 1 + life.below(5000)};
}

void announce_all(Shipped& it) {
  it.change([](sqlite::Database& database) { rows::want_messages(database, 15); });
}

/// The findings about the tables of change tracking alone: the turns of a random history are in no
/// order.
std::string findings(const Shipped& it) {
  sqlite::Database database(it.file(), {.access = sqlite::Access::read_only});
  std::string said;
  const maintenance::StoreCheck check = maintenance::check_store(database);
  if (check.integrity != "ok") said += check.integrity + "; ";
  for (const maintenance::Finding& one : check.findings)
    if (one.what.find("tracked") != std::string::npos) said += one.what + ": " + one.first + "; ";
  return said;
}

void for_each_seed(const std::function<void(unsigned)>& live) {
  const unsigned first = from_environment("VERBATIM_SHIPPING_FROM", 1);
  const unsigned seeds = from_environment("VERBATIM_SHIPPING_SEEDS", rounds(4));
  for (unsigned seed = first; seed < first + seeds; ++seed) {
    INFO("seed " << seed);
    live(seed);
  }
}

}  // namespace

TEST_CASE("shipments make the same rows elsewhere, under random changes, crashes and failovers",
          "[P14][shipping]") {
  for_each_seed([](unsigned seed) {
    FaultVfs disk;
    disk.skip_syncs(true);
    Shipped it({.keep_shipped_ms = an_hour});
    announce_all(it);
    Life life(it, seed);
    std::vector<ShipmentModel> earlier;
    for (int i = 0; i < 400; ++i) {
      life.step();
      if (life.below(6) == 0) it.ship(random_limits(life), life.below(4) == 0);
      if (life.below(20) == 0) it.note();
      if (life.below(30) == 0) earlier.push_back(it.model);
      if (life.below(80) == 0 && !earlier.empty()) {
        // A standby takes over that lacks the last shipments.
        it.model = earlier[life.below(static_cast<unsigned>(earlier.size()))];
        CHECK_FALSE(it.resume());
      }
      if (life.below(90) == 0) {
        it.crash();
        life.forget_open();
        it.resume();
      }
    }
    it.ship_all();
    CHECK(it.missing() == "");
    life.end_all();
    it.ship_all();
    CHECK(it.missing() == "");
    CHECK(findings(it) == "");
  });
}

TEST_CASE("a full disk and the fallback directory leave no change out of the shipments",
          "[P14][shipping]") {
  for_each_seed([](unsigned seed) {
    FaultVfs disk;
    disk.skip_syncs(true);
    const TempDir other_disk;
    Shipped it({.full_retry_ms = 1, .fallback_dir = other_disk.path(), .keep_shipped_ms = an_hour});
    it.close();
    disk.confine(it.file().parent_path().string());
    it.open();
    announce_all(it);
    Life life(it, seed);
    for (int round = 0; round < 3; ++round) {
      for (int i = 0; i < 40; ++i) {
        life.step();
        if (life.below(6) == 0) it.ship(random_limits(life), false);
      }
      disk.fill_disk(true);
      for (int i = 0; i < 40; ++i) {
        life.step();
        if (life.below(6) == 0) it.ship(random_limits(life), false);
      }
      disk.fill_disk(false);
      REQUIRE(becomes([&] { return it.journal->state() == store::JournalState::working; }));
    }
    it.ship_all();
    CHECK(it.missing() == "");
  });
}

TEST_CASE("a segment that only a later start merges is shipped", "[P14][shipping]") {
  FaultVfs disk;
  const TempDir other_disk;
  Shipped it({.full_retry_ms = 1, .fallback_dir = other_disk.path(), .keep_shipped_ms = an_hour});
  it.close();
  disk.confine(it.file().parent_path().string());
  it.open();
  announce_all(it);
  const auto attempt = it.begin("s1");
  const auto other = it.begin("s2");
  it.ship_all();
  disk.fail_log_sync(1);
  const auto last = it.journal->append(attempt, 2000, delta("i1", "elsewhere"));
  REQUIRE(it.watch->wait_durable(last));
  it.journal->settle(attempt, turn(1, "i1", "elsewhere"));
  REQUIRE(it.watch->wait_durable(it.journal->close(other, ending_with(2, 3000))));
  REQUIRE(fs::exists(journal::segment_in(other_disk.path())));
  // Nothing of it is in the database yet, so nothing of it may count as sent.
  while (it.ship()) {
  }
  CHECK(it.model.shipped < last);
  it.close();
  disk.confine({});
  it.open();
  it.resume();
  it.ship_all();
  CHECK(it.missing() == "");
  CHECK(it.model.rows.contains("ended/s2/1/"));
}

TEST_CASE("a database elsewhere that was set back further than rows are kept gets everything again",
          "[P14][shipping]") {
  for_each_seed([](unsigned seed) {
    FaultVfs disk;
    disk.skip_syncs(true);
    Shipped it({.keep_shipped_ms = 0});
    announce_all(it);
    Life life(it, seed);
    ShipmentModel earlier;
    for (int i = 0; i < 300; ++i) {
      life.step();
      if (life.below(4) == 0) it.ship();
      if (life.below(8) == 0) it.note();
      if (i == 60) earlier = it.model;
    }
    it.ship_all();
    it.note();
    REQUIRE(becomes([&] {
      return it.count(
                 "SELECT count(*) FROM dirty WHERE kind <> 0 AND seq <= "
                 "(SELECT shipped FROM shipping)") == 0;
    }));
    it.model = earlier;
    CHECK(it.resume());
    it.ship_all();
    // Messages and tokens that were deleted since then are not known here any more.
    std::erase_if(it.model.rows, [&](const auto& row) {
      const bool deletable = row.first.starts_with("message/") || row.first.starts_with("token/");
      return deletable && earlier.rows.contains(row.first);
    });
    sqlite::Database database(it.file(), {.access = sqlite::Access::read_only});
    ShipmentModel here = model_of(database);
    std::erase_if(here.rows, [&](const auto& row) {
      const bool deletable = row.first.starts_with("message/") || row.first.starts_with("token/");
      return deletable && earlier.rows.contains(row.first);
    });
    CHECK(differences(it.model, here) == "");
  });
}

TEST_CASE("an old store whose changes are tracked from now on ships all its history",
          "[P14][shipping]") {
  FaultVfs disk;
  disk.skip_syncs(true);
  Shipped it({.keep_shipped_ms = an_hour});
  it.open_again(false);
  announce_all(it);
  Life life(it, 3);
  for (int i = 0; i < 300; ++i) life.step();
  for (int i = 0; i < 1200; ++i)
    it.change([i](sqlite::Database& database) {
      rows::create_session(database, {.id = "old" + std::to_string(i), .user = "ann", .now = 900});
    });
  CHECK(it.count("SELECT count(*) FROM dirty") == 0);
  CHECK(it.count("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'") == 0);
  life.end_all();
  it.open_again(true);
  CHECK(it.count("SELECT count(*) FROM dirty") <= 500);  // in steps
  CHECK(it.count("SELECT count(*) FROM dirty") > 0);
  it.ship_all();
  CHECK(it.missing() == "");

  SECTION("and tracks nothing any more when that is switched off") {
    const auto highest = it.model.watermark;
    it.open_again(false);
    for (const char* const table : {"dirty", "shipping"})
      CHECK(it.count(std::string("SELECT count(*) FROM ") + table) == 0);
    CHECK(it.count("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'") == 0);
    for (int i = 0; i < 50; ++i) life.step();
    it.sync();
    it.open_again(true);
    // The numbers go on, so the database elsewhere can keep its watermark.
    CHECK(it.shipping->continues(it.shipping->identity()->run, highest).value());
    CHECK(it.resume());
    it.ship_all();
    std::erase_if(it.model.rows, [](const auto& row) {
      return !row.first.starts_with("session/") && !row.first.starts_with("turn/");
    });
    sqlite::Database database(it.file(), {.access = sqlite::Access::read_only});
    for (const auto& [name, row] : model_of(database).rows)
      if (name.starts_with("session/") || name.starts_with("turn/"))
        CHECK(it.model.rows[name] == row);
  }
}

TEST_CASE("a change that another process made is shipped as well", "[P14][shipping]") {
  Shipped it;
  const auto attempt = it.begin("s1");
  it.change([](sqlite::Database& database) {
    rows::create_session(database, {.id = "s2", .user = "ann", .now = 900});
    rows::create_session(database, {.id = "s3", .user = "ann", .now = 900});
  });
  it.ship_all();
  {
    sqlite::Database other(it.file());
    rows::patch_metadata(other, "s3", {R"({"by":"hand"})", "{}"}, 999);
    rows::erase_session(other, "s2");
  }
  // The watermark may pass all present numbers before the change gets one.
  REQUIRE(it.watch->wait_durable(it.journal->append(attempt, 2000, delta("i1", "on"))));
  it.ship_all();
  CHECK(it.missing() == "");
  CHECK_FALSE(it.model.rows.contains("session/s2/"));
  CHECK(it.model.rows.at("session/s3/").find("by") != std::string::npos);
}

TEST_CASE("a restored backup is not taken for the stream that went on without it",
          "[P14][shipping]") {
  Shipped it;
  const auto attempt = it.begin("s1");
  it.ship_all();
  const TempDir backup;
  it.sync();
  copy_store(it.file(), backup / "v.db");
  const auto before = it.shipping->identity().value();
  const auto behind = it.model.watermark;
  REQUIRE(it.watch->wait_durable(it.journal->append(attempt, 2000, delta("i1", "after it"))));
  it.ship_all();
  CHECK(it.shipping->continues(before.run, it.model.watermark).value());

  it.open_again();
  const auto again = it.shipping->identity().value();
  CHECK(again.node_id == before.node_id);
  CHECK(again.run != before.run);
  CHECK(it.shipping->continues(before.run, it.model.watermark).value());
  CHECK_FALSE(it.shipping->continues("another run", 1).value());

  // The backup comes back, and works for a while before it sees the database elsewhere.
  it.close();
  for (const char* const suffix : {"", "-wal", "-shm"}) fs::remove(it.file().string() + suffix);
  copy_store(backup / "v.db", it.file());
  it.open();
  const auto own = it.begin("s2");
  for (int i = 0; i < 40; ++i) it.journal->append(own, 2000, delta("i1", "other words"));
  it.sync();
  CHECK(it.journal->durable() > it.model.watermark);
  CHECK_FALSE(it.shipping->continues(before.run, it.model.watermark).value());
  // Nothing was sent after the backup: it may go on under its name.
  CHECK(it.shipping->continues(before.run, behind).value());
  const auto renewed =
      ask<store::StreamIdentity>([&](auto done) { it.shipping->renew_identity(done); }).value();
  CHECK(renewed.node_id != before.node_id);
  CHECK(renewed.node_id.size() == 36);
  CHECK(it.shipping->identity()->node_id == renewed.node_id);
}

TEST_CASE("a backup of a store that tracks changes is sound and continues its stream",
          "[P14][shipping][backup]") {
  Shipped it;
  const auto attempt = it.begin("s1");
  it.ship_all();
  const auto identity = it.shipping->identity().value();
  REQUIRE(it.watch->wait_durable(it.journal->append(attempt, 2000, delta("i1", "not sent yet"))));
  const TempDir elsewhere;
  maintenance::back_up(it.file(), elsewhere / "b.db");
  CHECK(maintenance::check_file(elsewhere / "b.db", false).sound());
  it.close();
  for (const char* const suffix : {"", "-wal", "-shm"}) fs::remove(it.file().string() + suffix);
  fs::copy_file(elsewhere / "b.db", it.file());
  it.open();
  it.resume();
  CHECK(it.shipping->identity()->node_id == identity.node_id);
  CHECK(it.shipping->continues(identity.run, it.model.watermark).value());
  it.ship_all();
  CHECK(it.missing() == "");
  CHECK(it.model.rows.contains("ended/s1/1/"));
}

TEST_CASE("a watermark beyond the stream is refused", "[P14][shipping]") {
  Shipped it;
  it.begin("s1");
  it.ship_all();
  CHECK_FALSE(it.resume());
  const auto refused =
      ask<bool>([&](auto done) { it.shipping->resume_from(it.model.watermark + 99, done); });
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().what(), Catch::Contains("new node_id"));
  CHECK(it.shipping->shipped().value() == it.model.watermark);
}

TEST_CASE("an attempt that has ended is shipped as its record alone in catch-up",
          "[P14][shipping]") {
  Shipped it;
  const auto ended = it.begin("s1");
  const auto open = it.begin("s2");
  for (int i = 0; i < 100; ++i) {
    it.journal->append(ended, 2000 + i, delta("i1", "a"));
    it.journal->append(open, 2000 + i, delta("i1", "b"));
  }
  it.journal->close(ended, ending_with(3, 3000));
  it.sync();
  const auto shipment = it.shipping->read_shipment(0, {}, true).value();
  CHECK(shipment.events.size() == 100);
  REQUIRE(shipment.records.size() == 1);
  CHECK(shipment.records[0].turns.size() == 3);
  CHECK(shipment.records[0].tool_calls.size() == 1);
  CHECK(it.shipping->read_shipment(0, {}, false)->events.size() == 200);
}

TEST_CASE("the backlog is counted, and beyond a limit extrapolated", "[P14][shipping]") {
  FaultVfs disk;
  disk.skip_syncs(true);
  Shipped it;
  const auto attempt = it.begin("s1");
  for (int i = 0; i < 3000; ++i) it.journal->append(attempt, 2000 + i, delta("i1", "word"));
  it.sync();
  const auto exact = it.shipping->backlog().value();
  CHECK(exact.exact);
  CHECK(exact.events == 3000);
  CHECK(exact.rows == 2);
  CHECK(exact.oldest_at == 2000);
  CHECK(exact.highest >= 3000);
  sqlite::Database database(it.file(), {.access = sqlite::Access::read_only});
  const auto guessed = rows::shipping_backlog(database, 0, 500);
  CHECK_FALSE(guessed.exact);
  CHECK(guessed.events > 2900);
  CHECK(guessed.events < 3100);
  CHECK(guessed.bytes > exact.bytes * 9 / 10);
  CHECK(guessed.bytes < exact.bytes * 11 / 10);
  it.ship_all();
  it.note();
  CHECK(it.shipping->backlog()->events == 0);
  CHECK_FALSE(it.shipping->backlog()->oldest_at);
}

TEST_CASE("a commit wakes a shipper that waits, and no other", "[P14][shipping]") {
  Shipped it;
  const auto readable = [&](int ms) {
    pollfd one{it.shipping->changes_fd(), POLLIN, 0};
    return ::poll(&one, 1, ms) == 1;
  };
  it.sync();
  CHECK_FALSE(readable(0));
  it.shipping->arm();
  CHECK_FALSE(readable(0));
  it.sync();
  CHECK(readable(30'000));
  it.shipping->arm();
  CHECK_FALSE(readable(0));
}
