// Pauses between attempts.
#include "base/backoff.hpp"

#include <catch2/catch.hpp>
#include <chrono>

using namespace std::chrono_literals;
using namespace verbatim;

TEST_CASE("a pause is doubled up to its limit, for any number of attempts", "[reconnect]") {
  CHECK(doubled(200, 0, 5000) == 200);
  CHECK(doubled(200, 1, 5000) == 400);
  CHECK(doubled(200, 4, 5000) == 3200);
  CHECK(doubled(200, 5, 5000) == 5000);
  CHECK(doubled(200, 1'000'000'000, 5000) == 5000);
  CHECK(doubled(9000, 0, 5000) == 5000);
  CHECK(doubled(1000ms, 2, 600'000ms) == 4000ms);
}

TEST_CASE("the jitter takes at most half of a pause", "[reconnect]") {
  Backoff backoff({.attempts_max = 3, .pause_min_ms = 200, .pause_max_ms = 1000, .seed = 7});
  const auto within = [&backoff](std::int64_t whole) {
    for (int i = 0; i < 100; ++i) {
      const auto pause = backoff.pause();
      REQUIRE(pause >= whole / 2);
      REQUIRE(pause <= whole);
    }
  };
  within(200);
  backoff.failed();
  within(400);
  backoff.failed();
  CHECK_FALSE(backoff.exhausted());
  backoff.failed();
  CHECK(backoff.exhausted());
  within(1000);
  backoff.reset();
  within(200);
}
