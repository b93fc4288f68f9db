#include "server/journal_shares.hpp"

#include <catch2/catch.hpp>
#include <thread>
#include <vector>

using namespace verbatim;
using namespace verbatim::server;

namespace {

constexpr std::int64_t minute = 60'000;

}  // namespace

TEST_CASE("beyond the bound the largest part ends and the others go on", "[limits][P11]") {
  JournalShares shares(1'000);
  const auto flood = shares.open();
  const auto first = shares.open();
  const auto second = shares.open();
  CHECK_FALSE(first->add(150, 0));
  CHECK_FALSE(flood->add(700, 0));
  CHECK_FALSE(second->add(150, 0));
  // One of the small ones meets the bound: it is not its fault.
  CHECK_FALSE(first->add(1, 0));
  CHECK(flood->add(1, 0));
  for (int i = 0; i < 100; ++i) {
    CHECK_FALSE(first->add(1, 0));
    CHECK_FALSE(second->add(1, 0));
  }
}

TEST_CASE("the one that meets the bound itself ends at once", "[limits][P11]") {
  JournalShares shares(1'000);
  const auto other = shares.open();
  const auto flood = shares.open();
  CHECK_FALSE(other->add(400, 0));
  CHECK_FALSE(flood->add(600, 0));
  CHECK(flood->add(1, 0));
}

TEST_CASE("each minute is counted by itself", "[limits][P11]") {
  JournalShares shares(1'000);
  const auto one = shares.open();
  const auto two = shares.open();
  for (std::int64_t at = 0; at < 10 * minute; at += minute) {
    CHECK_FALSE(one->add(500, at));
    CHECK_FALSE(two->add(500, at + 59'999));
  }
  CHECK(one->add(501, 9 * minute + 59'999));
  // It was told in that minute; one that is still there may go on in the next.
  CHECK_FALSE(one->add(1, 10 * minute));
}

TEST_CASE("a session that has gone ends no other", "[limits]") {
  JournalShares shares(1'000);
  auto gone = shares.open();
  CHECK_FALSE(gone->add(999, 0));
  gone.reset();
  const auto small = shares.open();
  const auto large = shares.open();
  CHECK_FALSE(small->add(1, 0));
  CHECK_FALSE(large->add(2, 0));
  CHECK_FALSE(large->add(997, 0));
  CHECK_FALSE(small->add(1, 0));  // it meets the bound, and the other has the most
  CHECK(large->add(1, 0));
  CHECK_FALSE(small->add(1, 0));
}

TEST_CASE("one user's many sessions do not end the larger one of another", "[limits][P11]") {
  JournalShares shares(1'000);
  const auto other = shares.open("ann");
  std::vector<std::shared_ptr<verbatim::session::SharedJournal>> many;
  for (int i = 0; i < 20; ++i) many.push_back(shares.open("bob"));
  CHECK_FALSE(other->add(100, 0));
  std::size_t ended = 0;
  for (int round = 0; round < 20; ++round) {
    ended += std::erase_if(many, [](const auto& one) { return one->add(49, 0); });
    REQUIRE_FALSE(other->add(0, 0));
  }
  CHECK(ended > 10);
}

TEST_CASE("of the user with the most it is the largest session that ends", "[limits][P11]") {
  JournalShares shares(1'000);
  const auto alone = shares.open("ann");
  const auto large = shares.open("bob");
  const auto small = shares.open("bob");
  CHECK_FALSE(alone->add(400, 0));
  CHECK_FALSE(large->add(350, 0));
  CHECK_FALSE(small->add(250, 0));
  CHECK_FALSE(alone->add(1, 0));
  CHECK(large->add(1, 0));
  CHECK_FALSE(small->add(1, 0));
  CHECK_FALSE(alone->add(1, 0));
}

TEST_CASE("a back end's key is not one user: its sessions count each for itself", "[limits]") {
  JournalShares shares(1'000);
  std::vector<std::shared_ptr<verbatim::session::SharedJournal>> many;
  for (int i = 0; i < 500; ++i) many.push_back(shares.open());
  for (const auto& one : many) CHECK_FALSE(one->add(1, 0));
  const auto flood = shares.open("bob");
  CHECK_FALSE(flood->add(400, 0));
  CHECK_FALSE(many.front()->add(99, 0));
  CHECK_FALSE(many.front()->add(2, 0));  // it meets the bound, and another has more
  CHECK(flood->add(1, 0));
  for (const auto& one : many) CHECK_FALSE(one->add(0, 0));
}

TEST_CASE("without a bound nothing is counted", "[limits]") {
  JournalShares shares(0);
  CHECK(shares.open() == nullptr);
}

TEST_CASE("sessions on many threads count together", "[limits]") {
  constexpr int each = 10'000;
  JournalShares shares(1'000'000'000);
  std::vector<std::shared_ptr<verbatim::session::SharedJournal>> sessions;
  std::vector<std::thread> threads;
  std::atomic<int> ended{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, share = sessions.emplace_back(shares.open())] {
      for (int n = 0; n < each; ++n) ended += share->add(10, 0) ? 1 : 0;
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(ended == 0);
  const auto last = shares.open();
  CHECK_FALSE(last->add(1'000'000'000 - 4 * each * 10, 0));
  CHECK(last->add(1, 0));
}
