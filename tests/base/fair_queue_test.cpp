// A queue in which callers take turns.
#include "base/fair_queue.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace verbatim;

namespace {

std::string order(FairQueue<char>& queue, std::size_t count) {
  std::string taken;
  while (count-- > 0) taken += queue.pop();
  return taken;
}

}  // namespace

TEST_CASE("a caller with many waiting jobs does not delay another", "[fair]") {
  FairQueue<char> queue;
  for (const char c : std::string("abcdef")) queue.push("much", c);
  CHECK(order(queue, 2) == "ab");
  queue.push("other", 'X');
  queue.push("third", 'Y');
  queue.push("other", 'Z');
  CHECK(order(queue, 7) == "cXYdZef");
}

TEST_CASE("a caller's jobs are done in their order", "[fair]") {
  FairQueue<char> queue;
  for (const char c : std::string("abc")) queue.push("", c);
  CHECK(order(queue, 3) == "abc");
  queue.push("", 'd');
  CHECK(order(queue, 1) == "d");
}

TEST_CASE("a returning caller gets no turn before those that wait", "[fair]") {
  FairQueue<char> queue;
  queue.push("one", 'a');
  queue.push("two", 'B');
  queue.push("two", 'C');
  CHECK(order(queue, 1) == "a");
  queue.push("one", 'd');
  CHECK(order(queue, 3) == "BdC");
}
