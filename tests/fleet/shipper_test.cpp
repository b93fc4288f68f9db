// The shipper against a real PostgreSQL that dies, and against the state of other relays.
#include <signal.h>

#include <catch2/catch.hpp>
#include <condition_variable>

#include "server/fleet/shipping/confirmed_journal.hpp"
#include "server/fleet/shipping/outage.hpp"
#include "server/fleet/shipping/shipper.hpp"
#include "tests/support/fleet_database.hpp"
#include "tests/support/memory_shipping.hpp"

namespace verbatim::shipping {
namespace {

using namespace std::chrono_literals;
using testing::MemoryShipping;
using testing::MemoryStream;

const store::AttemptName attempt{"s1", 1};

/// A relay as its shipper sees it.
class Relay {
 public:
  Relay(config::Fleet settings, MemoryStream& stream)
      : stream_(stream),
        shipper_(parts(std::move(settings)), std::make_unique<MemoryShipping>(stream)) {
    shipper_.start();
  }

  const ShippingState& state() const { return shipper_.state(); }
  int given_up() const { return given_up_; }
  /// How many rounds the shipper's loop has made.
  int looks() const { return looks_; }
  void finish() { shipper_.finish(20s); }

  /// Waits until it is so, looking again whenever something may have changed.
  template <class Condition>
  bool comes(Condition condition) {
    std::unique_lock lock(mutex_);
    for (const auto end = std::chrono::steady_clock::now() + 60s;
         std::chrono::steady_clock::now() < end; moved_.wait_for(lock, 5ms))
      if (condition()) return true;
    return false;
  }
  bool confirms(transcript::Sequence upto) {
    return comes([&] { return state().confirmed() >= upto; });
  }

 private:
  ShipperParts parts(config::Fleet settings) {
    return {std::move(settings),
            "test",
            10ms,
            30ms,
            [this] {
              ++looks_;
              return stream_.highest();
            },
            [] { return true; },
            [this] { moved_.notify_all(); },
            [this] { ++given_up_; },
            log_};
  }

  MemoryStream& stream_;
  Log log_{{LogLevel::error, LogFormat::text, 10}, [](std::string) { return std::string(); }};
  std::mutex mutex_;
  std::condition_variable moved_;
  std::atomic<int> given_up_{0};
  std::atomic<int> looks_{0};
  Shipper shipper_;
};

struct Fixture : testing::FleetDatabase {
  MemoryStream stream;

  void put(transcript::Sequence from, transcript::Sequence to) {
    for (auto seq = from; seq <= to; ++seq) stream.put_event(seq, attempt, std::to_string(seq));
  }
  /// How many events are there, how many numbers they have, and the highest.
  std::string events() const {
    return sql("SELECT count(*), count(DISTINCT seq), max(seq) FROM event");
  }
  void cut_connections() const {
    server.sql("postgres",
               "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + name +
                   "' AND application_name LIKE 'verbatim%'");
  }
};

}  // namespace

TEST_CASE("every event arrives once, though connections are cut and the database is killed",
          "[P14][fleet][loss]") {
  Fixture fleet;
  fleet.settings.batch_events_max = 100;
  Relay relay(fleet.settings, fleet.stream);
  fleet.put(1, 1000);
  REQUIRE(relay.confirms(1));
  for (int round = 1; round <= 5; ++round) {
    const auto from = static_cast<transcript::Sequence>(round) * 1000 + 1;
    fleet.put(from, from + 499);
    fleet.cut_connections();
    fleet.put(from + 500, from + 999);
  }
  fleet.server.kill();
  fleet.put(6001, 7000);
  fleet.server.start();
  REQUIRE(relay.confirms(7000));
  CHECK(fleet.events() == "7000|7000|7000");
  CHECK(fleet.sql("SELECT shipped FROM node") == "7000");
}

TEST_CASE("the shipper goes on from the watermark that the database has, not from its own memory",
          "[P14][fleet][loss]") {
  Fixture fleet;
  Relay relay(fleet.settings, fleet.stream);
  fleet.put(1, 300);
  REQUIRE(relay.confirms(300));
  // As after a failover to a replica that lacks the last commits.
  fleet.sql("BEGIN; DELETE FROM event WHERE seq > 100; UPDATE node SET shipped = 100; COMMIT");
  fleet.cut_connections();
  fleet.put(301, 400);
  REQUIRE(relay.confirms(400));
  CHECK(fleet.events() == "400|400|400");
  const std::lock_guard lock(fleet.stream.mutex);
  CHECK(fleet.stream.resumed_from == std::vector<transcript::Sequence>{0, 100});
}

TEST_CASE("a database that is not there at the start is used once it is", "[P14][fleet]") {
  Fixture fleet;
  const std::string later = "later_" + fleet.name;
  fleet.settings.url = Secret(fleet.server.url(later));
  fleet.put(1, 10);
  Relay relay(fleet.settings, fleet.stream);
  REQUIRE(relay.comes([&] { return !relay.state().warning().empty(); }));
  CHECK(relay.state().warning() == "the fleet's database refuses this relay; see the log");
  fleet.sql("CREATE DATABASE " + later);
  REQUIRE(relay.confirms(10));
  CHECK(relay.state().warning().empty());
  CHECK(relay.state().figures().connected);
}

TEST_CASE("a second process with the same name fences the first, which says so", "[P14][fleet]") {
  Fixture fleet;
  Relay first(fleet.settings, fleet.stream);
  fleet.put(1, 100);
  REQUIRE(first.confirms(100));
  MemoryStream copied;
  for (transcript::Sequence seq = 1; seq <= 150; ++seq) copied.put_event(seq, attempt, "copy");
  Relay second(fleet.settings, copied);
  REQUIRE(second.confirms(150));
  fleet.put(101, 200);
  REQUIRE(first.comes([&] { return first.state().figures().fenced; }));
  REQUIRE(first.comes([&] { return !first.state().refusal().empty(); }));
  CHECK_THAT(first.state().refusal(), Catch::Contains("a newer process with the same node_id"));
  CHECK(fleet.events() == "150|150|150");
  CHECK(fleet.sql("SELECT count(*) FROM event WHERE seq > 100 AND body <> 'copy'") == "0");
  CHECK(fleet.sql("SELECT alive, fenced_by FROM node ORDER BY incarnation") == "f|2\nt|");
}

TEST_CASE("a restored backup enters the database under a new name", "[P14][fleet]") {
  Fixture fleet;
  {
    Relay relay(fleet.settings, fleet.stream);
    fleet.put(1, 100);
    REQUIRE(relay.confirms(100));
    relay.finish();
  }
  fleet.stream.is_continued = false;
  fleet.stream.shipped = 40;
  Relay restored(fleet.settings, fleet.stream);
  REQUIRE(restored.confirms(100));
  CHECK(fleet.sql("SELECT left(node_id::text, 4), alive, shipped FROM node ORDER BY incarnation") ==
        "1111|f|100\n2222|t|100");  // the first one has left
}

TEST_CASE("a new process goes on where the last one ended, and its events are its own",
          "[P14][fleet]") {
  Fixture fleet;
  {
    Relay relay(fleet.settings, fleet.stream);
    fleet.put(1, 1);
    REQUIRE(relay.confirms(1));
    fleet.put(2, 100);
    relay.finish();  // ships the rest
  }
  CHECK(fleet.events() == "100|100|100");
  fleet.put(101, 110);
  Relay next(fleet.settings, fleet.stream);
  REQUIRE(next.confirms(110));
  CHECK(fleet.sql("SELECT incarnation, min(seq), max(seq) FROM event GROUP BY 1 ORDER BY 1") ==
        "1|1|100\n2|101|110");
}

TEST_CASE("new sessions are refused while too much waits for the database", "[P14][fleet]") {
  Fixture fleet;
  fleet.settings.url = Secret("postgresql://relay@127.0.0.1:1/x");
  fleet.settings.backlog_bytes_max = 1000;
  Relay relay(fleet.settings, fleet.stream);
  for (transcript::Sequence seq = 1; seq <= 20; ++seq)
    fleet.stream.put_event(seq, attempt, std::string(100, 'x'));
  REQUIRE(relay.comes([&] { return !relay.state().refusal().empty(); }));
  CHECK_THAT(relay.state().refusal(), Catch::Contains("fleet.backlog_bytes_max"));
  CHECK(relay.state().figures().backlog_bytes == 2000);
  CHECK(relay.given_up() == 0);
}

TEST_CASE("with before, a database without a replica confirms nothing unless that is accepted",
          "[P14][fleet]") {
  Fixture fleet;
  fleet.settings.ship = config::Ship::before;
  fleet.put(1, 10);
  {
    Relay relay(fleet.settings, fleet.stream);
    REQUIRE(relay.comes([&] { return relay.given_up() > 0; }));
    CHECK(relay.state().confirmed() == 0);
    CHECK(relay.state().given_up());
    REQUIRE(relay.comes([&] { return !relay.state().refusal().empty(); }));
    CHECK(relay.state().refusal() == "the fleet's database has no replica; see the log");
  }
  fleet.settings.require_replica = false;
  Relay relay(fleet.settings, fleet.stream);
  REQUIRE(relay.confirms(10));
  CHECK(fleet.events() == "10|10|10");
}

TEST_CASE("with go_on, text does not wait for a database that is away, and waits again later",
          "[P14][fleet]") {
  Fixture fleet;
  fleet.settings.ship = config::Ship::before;
  fleet.settings.require_replica = false;
  fleet.settings.when_unreachable = config::WhenUnreachable::go_on;
  const std::string later = "later_" + fleet.name;
  fleet.settings.url = Secret(fleet.server.url(later));
  fleet.put(1, 10);
  Relay relay(fleet.settings, fleet.stream);
  REQUIRE(relay.comes([&] { return relay.state().bypassed(); }));
  CHECK(relay.given_up() == 0);
  fleet.sql("CREATE DATABASE " + later);
  REQUIRE(relay.comes([&] { return !relay.state().bypassed(); }));
  CHECK(relay.state().confirmed() == 10);
}

TEST_CASE("a commit that perhaps no replica has is not confirmed", "[P14][fleet][loss]") {
  Fixture fleet;
  fleet.settings.ship = config::Ship::before;
  fleet.settings.require_replica = false;
  const auto standbys = [&](const std::string& names) {
    fleet.sql("ALTER SYSTEM SET synchronous_standby_names = '" + names + "'");
    fleet.sql("SELECT pg_reload_conf()");
  };
  const std::string waiting =
      " FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = '" + fleet.name + "'";
  {
    Relay relay(fleet.settings, fleet.stream);
    fleet.put(1, 1);
    REQUIRE(relay.confirms(1));
    // From now on each commit waits for a replica that is not there. Cancelled, it ends with a
    // warning.
    standbys("absent");
    REQUIRE(relay.comes([&] { return fleet.sql("SELECT count(*)" + waiting) != "0"; }));
    fleet.put(2, 10);
    REQUIRE(relay.comes([&] {
      fleet.sql("SELECT count(pg_cancel_backend(pid))" + waiting);
      return relay.state().figures().failures > 0 || relay.state().confirmed() > 1;
    }));
    CHECK(relay.state().confirmed() == 1);
  }
  standbys("");
}

TEST_CASE("a database that is silent costs the shipper's thread no work", "[P14][fleet]") {
  Fixture fleet;
  fleet.settings.batches_in_flight = 1;
  fleet.settings.silence_max = 1s;
  Relay relay(fleet.settings, fleet.stream);
  fleet.put(1, 1);
  REQUIRE(relay.confirms(1));
  const int backend = std::stoi(
      fleet.sql("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'verbatim%' "
                "AND datname = '" +
                fleet.name + "'"));
  REQUIRE(::kill(backend, SIGSTOP) == 0);
  const int before = relay.looks();
  fleet.put(2, 2);
  REQUIRE(relay.comes([&] { return relay.state().figures().failures > 0; }));
  ::kill(backend, SIGCONT);
  CHECK(relay.looks() - before < 1000);
  CHECK(relay.confirms(2));
}

TEST_CASE("an outage is counted from the last confirmation", "[P14][fleet]") {
  MemoryStream stream;
  Log log({LogLevel::error, LogFormat::text, 10}, [](std::string) { return std::string(); });
  int given_up = 0;
  config::Fleet settings = config::Settings().fleet;
  settings.ship = config::Ship::before;
  const ShipperParts parts{settings,
                           "",
                           100ms,
                           300ms,
                           [] { return transcript::Sequence{1}; },
                           {},
                           [] {},
                           [&] { ++given_up; },
                           log};
  ShippingState state;
  Outage outage(parts, state);
  const Outage::Time start{};
  outage.look(start, true, true);
  outage.look(start + 99ms, true, true);
  CHECK(outage.refusal(Trouble::unreachable).empty());
  outage.confirmed(start + 99ms, false);
  outage.look(start + 198ms, true, true);
  CHECK(outage.refusal(Trouble::unreachable).empty());
  outage.look(start + 199ms, false, true);
  CHECK(outage.refusal(Trouble::unreachable) ==
        "the fleet's database cannot be reached; see the log");
  outage.look(start + 398ms, false, true);
  CHECK_FALSE(state.given_up());
  outage.look(start + 399ms, false, true);
  CHECK(state.given_up());
  outage.look(start + 999ms, false, true);
  CHECK(given_up == 1);
  outage.confirmed(start + 1000ms, true);
  CHECK_FALSE(state.given_up());
  CHECK(outage.refusal(Trouble::unreachable).empty());
}

}  // namespace verbatim::shipping
