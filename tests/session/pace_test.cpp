// The rate at which a session may read and journal.
#include "session/pace.hpp"

#include <catch2/catch.hpp>
#include <memory>
#include <vector>

#include "tests/session/options.hpp"
#include "tests/session/stage.hpp"

using namespace verbatim;
using namespace verbatim::session;
using namespace verbatim::session::test;

namespace {

std::shared_ptr<PaceAccount> account(std::size_t bytes_per_second) {
  return std::make_shared<PaceAccount>(bytes_per_second);
}

/// Adds `bytes` at a time, whenever that is allowed, for `ms` milliseconds; returns the total.
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

TEST_CASE("a sender at full speed reaches its rate, and a little more at the start",
          "[limits][P11]") {
  for (const std::size_t bytes : {1u, 100u, 10'000u}) {
    Pace pace(account(100'000));
    const std::size_t sum = brought_in(pace, bytes, 7'000'000, 10'000);
    CHECK(sum >= 1'000'000);
    CHECK(sum <= 1'000'000 + 25'000 + bytes);
  }
}

TEST_CASE("a sender at full speed is read in small pieces, not in bursts", "[limits][P11]") {
  Pace pace(account(1'000'000));
  constexpr std::size_t bytes = 1'000;
  brought_in(pace, bytes, 7'000'000, 1'000);  // uses up the burst
  std::int64_t now = 7'001'000;
  for (int round = 0; round < 20; ++round) {
    pace.time_passed(now);
    std::size_t burst = 0;
    for (; !pace.holds(); burst += bytes) pace.brought(bytes, now);
    CHECK(burst <= 1'000'000 / 100 + 2 * bytes);  // a hundredth of a second's share
    now = pace.ends_at_ms();
  }
}

TEST_CASE("a sender below its rate never waits", "[limits][P11]") {
  Pace pace(account(100'000));
  for (std::int64_t now = 0; now < 60'000; now += 100) {
    pace.brought(9'999, now);
    REQUIRE_FALSE(pace.holds());
  }
}

TEST_CASE("a message larger than the rate is taken, and paid for behind it", "[limits][P11]") {
  Pace pace(account(1'000));
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

TEST_CASE("without a rate nothing waits, and a stopped clock adds no budget", "[limits][P11]") {
  Pace any(account(0));
  any.brought(std::size_t{1} << 40, 0);
  CHECK_FALSE(any.holds());
  Pace pace(account(1'000));
  pace.brought(10'000, 5);
  pace.time_passed(5);
  CHECK(pace.holds());
}

TEST_CASE("a sender that shares an account gets a part of its rate", "[limits][P11]") {
  const auto shared = account(100'000);
  std::vector<Pace> all(18, Pace(shared));
  std::size_t sum = 0;
  std::int64_t now = 7'000'000;
  while (now < 7'010'000) {
    std::int64_t next = now + 10'000;
    for (Pace& one : all) {
      one.time_passed(now);
      if (!one.holds()) {
        one.brought(2'000, now);
        sum += 2'000;
      }
      if (one.holds()) next = std::min(next, one.ends_at_ms());
    }
    REQUIRE(next > now);
    now = next;
  }
  CHECK(sum >= 1'000'000);
  CHECK(sum <= 1'000'000 + 25'000 + 18 * 2'000);
  // A flow that begins now has no share of its own.
  Pace late(shared);
  late.brought(25'000, now);
  CHECK(late.holds());
}

TEST_CASE("a rate beyond all disks, and one of a byte, are counted as they are", "[limits]") {
  Pace fast(account(std::size_t{1} << 40));
  fast.brought(std::size_t{1} << 36, 5);
  CHECK_FALSE(fast.holds());
  Pace slow(account(1));
  slow.brought(std::size_t{24} << 20, 5);
  REQUIRE(slow.holds());
  CHECK(slow.ends_at_ms() > 25'000'000'000);
}

TEST_CASE("a new session is read later if the user's other sessions have flooded",
          "[limits][P11]") {
  SessionOptions options = usual_options();
  options.users_pace = account(4'000);
  Stage first(options);
  first.open();
  first.journal.bytes_of_each = 600;
  first.client(typed_item);
  first.client(typed_item);
  REQUIRE_FALSE(first.session.wants_client());
  Stage second(options);
  CHECK_FALSE(second.session.wants_client());
  second.pass(second.session.next_deadline_ms() - second.clock.mono_ms);
  CHECK(second.session.wants_client());
}

TEST_CASE("a client that floods is read later, and its words are all taken", "[limits][P1][P11]") {
  SessionOptions options = usual_options();
  options.journal_bytes_per_second = 4'000;  // a burst of 1,000
  Stage stage(options);
  stage.open();
  stage.journal.bytes_of_each = 600;
  stage.client(typed_item);
  stage.client(typed_item);
  stage.journal.sync();
  REQUIRE_FALSE(stage.session.wants_client());
  CHECK(stage.session.wants_upstream());  // the session still reads from the provider
  CHECK_FALSE(stage.session.ended());
  const std::int64_t until = stage.session.next_deadline_ms();
  REQUIRE(until > stage.clock.mono_ms);
  stage.pass(until - stage.clock.mono_ms);
  CHECK(stage.session.wants_client());
  CHECK_FALSE(stage.session.ended());
}
