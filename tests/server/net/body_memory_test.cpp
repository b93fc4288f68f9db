// The memory for request bodies, and each sender's share of it.
#include "server/net/body_memory.hpp"

#include <catch2/catch.hpp>
#include <deque>

using namespace verbatim;
using namespace verbatim::net;

namespace {

constexpr std::size_t largest_body = 64 * 1024;
constexpr std::size_t counted_of_body =
    largest_body - BodyMemory::free_bytes;  ///< for a body of that size
constexpr std::size_t bodies_max = 32 * counted_of_body;

/// Bodies of one sender, each as large as allowed, as many as fit.
std::size_t fill(BodyMemory& memory, std::deque<BodyMemory::Share>& shares,
                 const std::string& user) {
  std::size_t fit = 0;
  while (true) {
    shares.emplace_back(memory, user);
    if (!shares.back().grow(largest_body)) return fit;
    ++fit;
  }
}

}  // namespace

TEST_CASE("bodies together take no more than they may, and give it back", "[bodies][P11]") {
  BodyMemory memory(bodies_max, largest_body);
  {
    std::deque<BodyMemory::Share> shares;
    CHECK(fill(memory, shares, "") == 32);
    CHECK(memory.counts().held == bodies_max);
    CHECK(memory.counts().refused == 1);
    CHECK(shares.back().grow(BodyMemory::free_bytes));  // a short one always fits
    CHECK_FALSE(shares.back().grow(BodyMemory::free_bytes + 1));
    CHECK(shares.front().grow(largest_body / 2));  // it has that already
    CHECK(memory.counts().held == bodies_max);
  }
  CHECK(memory.counts().held == 0);
}

TEST_CASE("one user's bodies leave room for other users, and clients' for back ends",
          "[bodies][P11]") {
  BodyMemory memory(bodies_max, largest_body);
  std::deque<BodyMemory::Share> shares;
  CHECK(fill(memory, shares, "ann") == 4);
  for (const char* user : {"bob", "cyd", "dan"}) CHECK(fill(memory, shares, user) == 4);
  CHECK(fill(memory, shares, "eve") == 0);  // the clients' half is full
  CHECK(fill(memory, shares, "") == 16);
  shares.clear();
  CHECK(fill(memory, shares, "eve") == 4);
}

TEST_CASE("the largest body fits, however small the bound", "[bodies]") {
  BodyMemory memory(1, largest_body);
  std::deque<BodyMemory::Share> shares;
  CHECK(fill(memory, shares, "ann") >= 1);
  CHECK(fill(memory, shares, "bob") >= 1);
  CHECK(fill(memory, shares, "") >= 1);
}

TEST_CASE("refused bodies make one line in the log in ten seconds", "[bodies]") {
  BodyMemory memory(bodies_max, largest_body);
  const auto begin = std::chrono::steady_clock::time_point{} + std::chrono::hours(1);
  CHECK(memory.worth_a_line(begin));
  CHECK_FALSE(memory.worth_a_line(begin + std::chrono::milliseconds(9'999)));
  CHECK(memory.worth_a_line(begin + std::chrono::seconds(10)));
}

TEST_CASE("a changed limit of bodies counts at once, and what is held stays", "[bodies][reload]") {
  BodyMemory memory(bodies_max, largest_body);
  std::deque<BodyMemory::Share> shares;
  const std::size_t before = fill(memory, shares, "");
  memory.set_limits(2 * bodies_max, largest_body);
  CHECK(fill(memory, shares, "") == before);
  memory.set_limits(bodies_max, largest_body);
  CHECK(memory.counts().held > bodies_max);
  CHECK(fill(memory, shares, "") == 0);
  shares.clear();
  CHECK(fill(memory, shares, "") == before);
}
