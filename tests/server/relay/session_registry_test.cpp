// Which ids the registry reserves.
#include "server/relay/session_registry.hpp"

#include <catch2/catch.hpp>

using namespace verbatim;
using namespace verbatim::relay;

TEST_CASE("a full server admits no conversation, but an id can be reserved to end or erase it",
          "[P8][limits]") {
  Registry registry(1);
  CHECK(registry.admit("live") == Admission::admitted);
  CHECK(registry.admit("another") == Admission::full);
  CHECK(registry.reserve("live") == Admission::busy);
  CHECK(registry.reserve("suspended") == Admission::admitted);
  CHECK(registry.admit("suspended") == Admission::busy);
  registry.release("suspended");
  CHECK(registry.reserve("suspended") == Admission::admitted);
}
