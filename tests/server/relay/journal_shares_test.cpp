// Each owner's share of the bytes that may be journaled in a minute.
#include "server/relay/journal_shares.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

using namespace verbatim;
using namespace verbatim::relay;

namespace {

using session::Limit;

constexpr std::int64_t minute = 60'000;

config::Limits all_may(std::size_t bytes) {
  config::Limits limits = config::Settings().limits;
  limits.all_journal_bytes_per_minute = bytes;
  limits.journal_bytes_per_minute = 0;
  return limits;
}

config::Limits each_may(std::size_t bytes) {
  config::Limits limits = config::Settings().limits;
  limits.journal_bytes_per_minute = bytes;
  return limits;
}

/// A session's share; without an owner unless given.
std::shared_ptr<session::SharedJournal> begun(JournalShares& shares, const std::string& owner = {},
                                              std::int64_t now_ms = 0) {
  return shares.open(owner, now_ms).journal;
}

}  // namespace

TEST_CASE("beyond the bound the largest part ends and the others go on", "[limits][P11]") {
  JournalShares shares(all_may(1'000));
  const auto flood = begun(shares);
  const auto first = begun(shares);
  const auto second = begun(shares);
  CHECK_FALSE(first->add(150, 0));
  CHECK_FALSE(flood->add(700, 0));
  CHECK_FALSE(second->add(150, 0));
  // A small one reaches the limit, but does not cause it.
  CHECK_FALSE(first->add(1, 0));
  CHECK(flood->add(1, 0));
  for (int i = 0; i < 100; ++i) {
    CHECK_FALSE(first->add(1, 0));
    CHECK_FALSE(second->add(1, 0));
  }
}

TEST_CASE("the one that meets the bound itself ends at once", "[limits][P11]") {
  JournalShares shares(all_may(1'000));
  const auto other = begun(shares);
  const auto flood = begun(shares);
  CHECK_FALSE(other->add(400, 0));
  CHECK_FALSE(flood->add(600, 0));
  CHECK(flood->add(1, 0));
}

TEST_CASE("each minute is counted by itself", "[limits][P11]") {
  JournalShares shares(all_may(1'000));
  const auto one = begun(shares);
  const auto two = begun(shares);
  for (std::int64_t at = 0; at < 10 * minute; at += minute) {
    CHECK_FALSE(one->add(500, at));
    CHECK_FALSE(two->add(500, at + 59'999));
  }
  CHECK(one->add(501, 9 * minute + 59'999));
  // Notified in that minute; one that still runs may continue in the next.
  CHECK_FALSE(one->add(1, 10 * minute));
}

TEST_CASE("a session that has gone ends no other", "[limits]") {
  JournalShares shares(all_may(1'000));
  auto gone = begun(shares);
  CHECK_FALSE(gone->add(999, 0));
  gone.reset();
  const auto small = begun(shares);
  const auto large = begun(shares);
  CHECK_FALSE(small->add(1, 0));
  CHECK_FALSE(large->add(2, 0));
  CHECK_FALSE(large->add(997, 0));
  CHECK_FALSE(small->add(1, 0));  // it reaches the limit, and the other has the most
  CHECK(large->add(1, 0));
  CHECK_FALSE(small->add(1, 0));
}

TEST_CASE("one user's many sessions do not end the larger one of another", "[limits][P11]") {
  JournalShares shares(all_may(1'000));
  const auto other = begun(shares, "ann");
  std::vector<std::shared_ptr<verbatim::session::SharedJournal>> many;
  for (int i = 0; i < 20; ++i) many.push_back(begun(shares, "bob"));
  CHECK_FALSE(other->add(100, 0));
  std::size_t ended = 0;
  for (int round = 0; round < 20; ++round) {
    ended += std::erase_if(many, [](const auto& one) { return one->add(49, 0); });
    REQUIRE_FALSE(other->add(0, 0));
  }
  CHECK(ended > 10);
}

TEST_CASE("of the user with the most it is the largest session that ends", "[limits][P11]") {
  JournalShares shares(all_may(1'000));
  const auto alone = begun(shares, "ann");
  const auto large = begun(shares, "bob");
  const auto small = begun(shares, "bob");
  CHECK_FALSE(alone->add(400, 0));
  CHECK_FALSE(large->add(350, 0));
  CHECK_FALSE(small->add(250, 0));
  CHECK_FALSE(alone->add(1, 0));
  CHECK(large->add(1, 0));
  CHECK_FALSE(small->add(1, 0));
  CHECK_FALSE(alone->add(1, 0));
}

TEST_CASE("a back end's key is not one user: its sessions count each for itself", "[limits]") {
  JournalShares shares(all_may(1'000));
  std::vector<std::shared_ptr<verbatim::session::SharedJournal>> many;
  for (int i = 0; i < 500; ++i) many.push_back(begun(shares));
  for (const auto& one : many) CHECK_FALSE(one->add(1, 0));
  const auto flood = begun(shares, "bob");
  CHECK_FALSE(flood->add(400, 0));
  CHECK_FALSE(many.front()->add(99, 0));
  CHECK_FALSE(many.front()->add(2, 0));  // it reaches the limit, and another has more
  CHECK(flood->add(1, 0));
  for (const auto& one : many) CHECK_FALSE(one->add(0, 0));
}

TEST_CASE("without a limit no session ends", "[limits]") {
  config::Limits limits = all_may(0);
  limits.journal_bytes_per_minute = limits.journal_bytes_per_second = 0;
  JournalShares shares(limits);
  const auto part = shares.open("bob", 0);
  CHECK_FALSE(part.journal->add(std::size_t{1} << 40, 0));
  part.pace->brought(std::size_t{1} << 40, 0);
  CHECK(part.pace->owed_ns(0) == 0);
  CHECK(shares.wait_s("bob", 0) == 0);
}

TEST_CASE("the sessions of one owner have one minute's bound, those that ended with them",
          "[limits][P11]") {
  JournalShares shares(each_may(1'000));
  const auto other = begun(shares, "ann");
  std::size_t kept = 0;
  for (int opened = 0; opened < 10; ++opened) {
    const auto one = begun(shares, "bob", 5);
    const auto two = begun(shares, "bob", 5);
    for (int i = 0; i < 5; ++i) {
      if (!one->add(30, 5)) kept += 30;
      if (!two->add(30, 5)) kept += 30;
    }
  }
  CHECK(kept == 990);
  CHECK(begun(shares, "bob", 5)->add(1, 59'999) == Limit::journal_bytes);
  CHECK_FALSE(other->add(1'000, 5));
  CHECK_FALSE(begun(shares)->add(1'000, 5));
  CHECK_FALSE(begun(shares)->add(1'000, 5));  // a session without an owner counts alone
  CHECK_FALSE(begun(shares, "bob", minute)->add(1'000, minute));
}

TEST_CASE("an owner that has sent too much waits until the minute is over", "[limits][P11]") {
  JournalShares shares(each_may(1'000));
  CHECK(shares.wait_s("bob", 0) == 0);
  begun(shares, "bob")->add(1'000, 10'000);
  CHECK(shares.wait_s("bob", 10'000) == 0);
  begun(shares, "bob")->add(1, 10'000);
  CHECK(shares.wait_s("bob", 10'000) == 50);
  CHECK(shares.wait_s("bob", 59'999) == 1);
  CHECK(shares.wait_s("ann", 10'000) == 0);
  CHECK(shares.wait_s("bob", minute) == 0);
}

TEST_CASE("the sessions of one owner have one pace", "[limits][P11]") {
  config::Limits limits = config::Settings().limits;
  limits.journal_bytes_per_second = 1'000;
  JournalShares shares(limits);
  auto first = shares.open("bob", 0);
  first.pace->brought(2'000, 0);
  first = {};
  CHECK(shares.open("bob", 0).pace->owed_ns(0) == 2'000'000'000);
  CHECK(shares.open("ann", 0).pace->owed_ns(0) == 0);
  CHECK(shares.open("", 0).pace->owed_ns(0) == 0);
}

TEST_CASE("owners without a session are removed once their minute is over", "[limits][P11]") {
  JournalShares shares(each_may(1'000));
  const auto lasting = begun(shares, "lasting");
  for (int i = 0; i < 10'000; ++i) {
    const std::int64_t now = i * 100;
    begun(shares, "user " + std::to_string(i), now)->add(900, now);
    REQUIRE(shares.owners() <= 2 * 601 + 64);
  }
  CHECK_FALSE(lasting->add(600, 10 * minute));
  CHECK(begun(shares, "lasting", 10 * minute)->add(600, 10 * minute) == Limit::journal_bytes);
}

TEST_CASE("sessions on many threads count together", "[limits]") {
  constexpr int each = 10'000;
  JournalShares shares(all_may(1'000'000'000));
  std::vector<std::shared_ptr<verbatim::session::SharedJournal>> sessions;
  std::vector<std::thread> threads;
  std::atomic<int> ended{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, share = sessions.emplace_back(begun(shares))] {
      for (int n = 0; n < each; ++n) ended += share->add(10, 0) ? 1 : 0;
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(ended == 0);
  const auto last = begun(shares);
  CHECK_FALSE(last->add(1'000'000'000 - 4 * each * 10, 0));
  CHECK(last->add(1, 0));
}

TEST_CASE("new limits hold at once, for sessions that run as well", "[limits][reload][P11]") {
  JournalShares shares(all_may(0));
  const auto running = begun(shares, "ann");
  CHECK_FALSE(running->add(5'000, 0));
  shares.reload(each_may(1'000));
  CHECK_FALSE(running->add(1'000, 0));  // without a limit nothing was counted
  CHECK(running->add(1, 0));
  CHECK(shares.wait_s("ann", 0) > 0);
  shares.reload(all_may(0));
  CHECK_FALSE(running->add(5'000, 0));
  CHECK(shares.wait_s("ann", 0) == 0);
}

TEST_CASE("a new rate holds for users that have an account already", "[limits][reload][P11]") {
  config::Limits limits = all_may(0);
  limits.journal_bytes_per_second = 0;
  JournalShares shares(limits);
  const auto pace = shares.open("ann", 0).pace;
  pace->brought(10'000, 0);
  CHECK(pace->owed_ns(0) == 0);
  limits.journal_bytes_per_second = 1'000;
  shares.reload(limits);
  pace->brought(10'000, 0);
  CHECK(pace->owed_ns(0) == 10'000'000'000);
}
