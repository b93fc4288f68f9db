// When a node may fence another or take its sessions.
#include "server/fleet/ownership/takeover.hpp"

#include <catch2/catch.hpp>

using namespace verbatim::ownership;
using namespace std::chrono_literals;

namespace {

constexpr auto dead_after = 60s;
constexpr OwnLease long_held{true, true};
constexpr OwnLease just_got{true, false};
constexpr OwnLease lost{};

Decision for_client(OtherNode other, OwnLease own = long_held) {
  return decide(other, Reason::client, own, dead_after);
}
Decision for_reaper(OtherNode other, OwnLease own = long_held) {
  return decide(other, Reason::reaper, own, dead_after);
}

}  // namespace

TEST_CASE("a node that holds its lease is never fenced, whether it answers or not",
          "[fleet][lease][P14]") {
  CHECK(for_client({true, {}}) == Decision::not_from_here);
  CHECK(for_reaper({true, {}}) == Decision::wait);
}

TEST_CASE(
    "a node whose lease is over is fenced for a client at once, for the reaper when it is dead",
    "[fleet][lease][P14]") {
  CHECK(for_client({true, 0s}) == Decision::fence);
  CHECK(for_reaper({true, 59s}) == Decision::wait);
  CHECK(for_reaper({true, 60s}) == Decision::fence);
}

TEST_CASE("the sessions of a node that has left or was fenced are taken without waiting",
          "[fleet][lease][P14]") {
  CHECK(for_client({false, {}}) == Decision::take);
  CHECK(for_client({false, 0s}, just_got) == Decision::take);
  CHECK(for_reaper({false, 59s}) == Decision::wait);
  CHECK(for_reaper({false, 60s}, just_got) == Decision::take);
}

TEST_CASE("right after an outage of the database no node fences another", "[fleet][lease][P14]") {
  CHECK(for_client({true, 30s}, just_got) == Decision::wait);
  CHECK(for_reaper({true, 90s}, just_got) == Decision::wait);
}

TEST_CASE("a node that does not hold its own lease takes nothing", "[fleet][lease][P14]") {
  for (const OtherNode other : {OtherNode{true, 90s}, OtherNode{false, 90s}, OtherNode{true, {}}}) {
    CHECK(for_client(other, lost) == Decision::wait);
    CHECK(for_reaper(other, lost) == Decision::wait);
  }
}
