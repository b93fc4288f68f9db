#include "session/pace.hpp"

#include <catch2/catch.hpp>

#include "tests/session/stage.hpp"

using namespace verbatim;
using namespace verbatim::session;
using namespace verbatim::session::test;

namespace {

/// Brings `bytes` at a time whenever it may, for `ms` milliseconds; how much it could bring.
std::size_t brought_in(Pace& pace, std::size_t bytes, std::int64_t from_ms, std::int64_t ms) {
  std::size_t sum = 0;
  for (std::int64_t now = from_ms; now < from_ms + ms;) {
    pace.time_passed(now);
    if (pace.holds()) {
      REQUIRE(pace.ends_at_ms() > now);
      now = pace.ends_at_ms();
      continue;
    }
    pace.brought(bytes, now);
    sum += bytes;
  }
  return sum;
}

}  // namespace

TEST_CASE("who brings all it can brings its rate, and a little more at the start",
          "[limits][P11]") {
  for (const std::size_t bytes : {1u, 100u, 10'000u}) {
    Pace pace(100'000);
    const std::size_t sum = brought_in(pace, bytes, 7'000'000, 10'000);
    CHECK(sum >= 1'000'000);
    CHECK(sum <= 1'000'000 + 25'000 + bytes);
  }
}

TEST_CASE("who brings less than its rate never waits", "[limits][P11]") {
  Pace pace(100'000);
  for (std::int64_t now = 0; now < 60'000; now += 100) {
    pace.brought(9'999, now);
    REQUIRE_FALSE(pace.holds());
  }
}

TEST_CASE("a message larger than the rate is taken, and paid for behind it", "[limits][P11]") {
  Pace pace(1'000);
  pace.brought(24'000, 0);
  REQUIRE(pace.holds());
  const std::int64_t end = pace.ends_at_ms();
  CHECK(end > 23'000);
  CHECK(end <= 24'000);
  pace.time_passed(end - 1);
  CHECK(pace.holds());
  pace.time_passed(end);
  CHECK_FALSE(pace.holds());
}

TEST_CASE("without a rate nothing waits, and a clock that stands still pays nothing",
          "[limits][P11]") {
  Pace any(0);
  any.brought(std::size_t{1} << 40, 0);
  CHECK_FALSE(any.holds());
  Pace pace(1'000);
  pace.brought(10'000, 5);
  pace.time_passed(5);
  CHECK(pace.holds());
}

TEST_CASE("a client that floods is read later, and its words are all taken", "[limits][P1][P11]") {
  SessionOptions options;
  options.journal_bytes_per_second = 4'000;  // 1,000 may come at once
  Stage stage(options);
  stage.open();
  stage.journal.bytes_of_each = 600;
  stage.client(typed_item);
  stage.client(typed_item);
  stage.journal.sync();
  REQUIRE_FALSE(stage.session.wants_client());
  CHECK(stage.session.wants_upstream());  // the provider is heard meanwhile
  CHECK_FALSE(stage.session.ended());
  const std::int64_t until = stage.session.next_deadline_ms();
  REQUIRE(until > stage.clock.mono_ms);
  stage.pass(until - stage.clock.mono_ms);
  CHECK(stage.session.wants_client());
  CHECK_FALSE(stage.session.ended());
}
