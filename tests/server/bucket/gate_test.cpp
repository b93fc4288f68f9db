// One work at a time for each session, and sessions that are held.
#include "server/bucket/gate.hpp"

#include <catch2/catch.hpp>

using namespace verbatim::bucket;
using Work = Gate::Work;

TEST_CASE("a session has one work at a time; others go on", "[P10][bucket]") {
  Gate gate;
  CHECK(gate.enter("a", Work::transfer));
  CHECK_FALSE(gate.enter("a", Work::removal));
  CHECK(gate.enter("b", Work::transfer));
  gate.leave("a");
  CHECK(gate.enter("a", Work::removal));
}

TEST_CASE("a hold waits for a transfer, and lets none begin", "[P10][bucket]") {
  Gate gate;
  int held = 0;
  REQUIRE(gate.enter("a", Work::transfer));
  gate.hold("a", [&] { ++held; });
  CHECK((held == 0 && gate.is_held("a")));
  gate.leave("a");
  CHECK(held == 1);
  CHECK_FALSE(gate.enter("a", Work::transfer));
  gate.hold("a", [&] { ++held; });
  CHECK(held == 2);
  gate.release("a");
  CHECK_FALSE(gate.enter("a", Work::transfer));
  gate.release("a");
  CHECK(gate.enter("a", Work::transfer));
}

TEST_CASE("a hold does not wait for a removal, which may begin meanwhile", "[P10][bucket]") {
  Gate gate;
  bool held = false;
  REQUIRE(gate.enter("a", Work::removal));
  gate.hold("a", [&] { held = true; });
  CHECK(held);
  gate.leave("a");
  CHECK(gate.enter("a", Work::removal));
}
