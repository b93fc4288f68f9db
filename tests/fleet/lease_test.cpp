// The lease of a node: the test moves the clock.
#include "server/fleet/shipping/lease.hpp"

#include <catch2/catch.hpp>
#include <deque>
#include <random>

using namespace verbatim::shipping;
using namespace std::chrono_literals;

namespace {

constexpr auto ttl = 2s;
const Time start = Time() + 1h;

}  // namespace

TEST_CASE("a lease counts from the sending of the last renewal that succeeded",
          "[fleet][lease][P14]") {
  Lease lease(ttl);
  CHECK_FALSE(lease.held(start));
  const auto first = lease.sent(start);
  CHECK_FALSE(lease.held(start));
  lease.confirmed(first);
  CHECK(lease.held(start));
  CHECK(lease.held(start + ttl - 1ms));
  CHECK_FALSE(lease.held(start + ttl));
  const auto second = lease.sent(start + 1s);
  CHECK_FALSE(lease.held(start + ttl));  // sent is not confirmed
  lease.confirmed(second);
  CHECK(lease.held(start + 1s + ttl - 1ms));
  CHECK_FALSE(lease.held(start + 1s + ttl));
}

TEST_CASE("a renewal is due four times in the time of a lease", "[fleet][lease][P14]") {
  Lease lease(ttl);
  CHECK(lease.renewal_due(start));
  lease.sent(start);
  CHECK_FALSE(lease.renewal_due(start + 499ms));
  CHECK(lease.renewal_due(start + 500ms));
}

TEST_CASE("a renewal that was sent on a connection that broke confirms nothing",
          "[fleet][lease][P14]") {
  Lease lease(ttl);
  lease.confirmed(lease.sent(start));
  const auto lost = lease.sent(start + 1s);
  lease.connection_lost();
  lease.confirmed(lost);
  CHECK_FALSE(lease.held(start + ttl));
}

TEST_CASE("a node may fence only after it has held its lease unbroken for two times its length",
          "[fleet][lease][P14]") {
  Lease lease(ttl);
  Time at = start;
  for (; at < start + 2 * ttl; at += 500ms) {
    lease.confirmed(lease.sent(at));
    CHECK_FALSE(lease.may_fence(at));
  }
  lease.confirmed(lease.sent(at));
  CHECK(lease.may_fence(at));
  // An outage of the database: the lease runs out, and the time begins again.
  const Time back = at + ttl;
  CHECK_FALSE(lease.may_fence(back));
  lease.confirmed(lease.sent(back));
  CHECK(lease.held(back));
  CHECK_FALSE(lease.may_fence(back));
  for (at = back; at < back + 2 * ttl; at += 500ms) lease.confirmed(lease.sent(at));
  lease.confirmed(lease.sent(at));
  CHECK(lease.may_fence(at));
}

TEST_CASE(
    "no node owns a conversation that the database has let another take, however renewals lag",
    "[fleet][lease][P14]") {
  // The database's clock and the node's do not agree; only spans of time do.
  std::mt19937 random(18);
  const auto ms = [&random](int most) { return std::chrono::milliseconds(random() % most); };
  for (int round = 0; round < 300; ++round) {
    Lease lease(ttl);
    const Duration skew = ms(1'000'000);
    struct OnItsWay {
      Lease::Renewal renewal;
      Time arrives;
      Time confirmed;
    };
    std::deque<OnItsWay> on_the_way;
    std::optional<Time> lease_until;  // by the database's clock
    Time now = start;
    Time last_arrival = start;
    Time last_confirmation = start;
    for (int step = 0; step < 400; ++step) {
      now += ms(step % 50 == 0 ? 4000 : 300);
      for (const OnItsWay& one : on_the_way)
        if (one.arrives <= now)
          lease_until = std::max(lease_until.value_or(Time()), one.arrives + skew + ttl);
      while (!on_the_way.empty() && on_the_way.front().confirmed <= now) {
        lease.confirmed(on_the_way.front().renewal);
        on_the_way.pop_front();
      }
      if (lease.renewal_due(now)) {
        const auto renewal = lease.sent(now);
        if (random() % 10 != 0) {
          last_arrival = std::max(last_arrival, now + ms(1500));
          last_confirmation = std::max(last_confirmation, last_arrival + ms(1500));
          on_the_way.push_back({renewal, last_arrival, last_confirmation});
        }
      }
      const bool others_may_take = !lease_until || now + skew >= *lease_until;
      if (others_may_take && lease.held(now)) FAIL("round " << round << ", step " << step);
    }
  }
}
