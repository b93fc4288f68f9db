// The memory of event ids, which recognises repeats.
#include "session/transcript/recent_ids.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <deque>
#include <string>

#include "tests/session/transcript/stream.hpp"

namespace verbatim::session::test {

TEST_CASE("the last ids are known and no other, however many there were", "[P3][rule3]") {
  for (const std::size_t capacity : {1UL, 2UL, 3UL, 7UL, 8UL, 64UL, 256UL, 1000UL}) {
    CAPTURE(capacity);
    Random random(capacity);
    transcript::RecentIds ids(capacity);
    std::deque<std::string> last;  // the expected result, by a plain search
    const auto is_known = [&last](const std::string& id) {
      return std::find(last.begin(), last.end(), id) != last.end();
    };
    for (int step = 0; step < 6000; ++step) {
      if (random.below(3000) == 0) {
        ids.clear();
        last.clear();
      }
      const std::string id = "event_" + std::to_string(random.below(3 * capacity));
      const std::string other = "event_" + std::to_string(random.below(3 * capacity));
      REQUIRE(ids.contains(other) == is_known(other));
      REQUIRE(ids.insert(id) == !is_known(id));
      if (is_known(id)) continue;
      last.push_back(id);
      if (last.size() > capacity) last.pop_front();
    }
    for (const std::string& id : last) REQUIRE(ids.contains(id));
  }
}

TEST_CASE("an event without an id is never a repeat", "[P3][rule3]") {
  transcript::RecentIds ids(4);
  CHECK(ids.insert(""));
  CHECK(ids.insert(""));
  CHECK_FALSE(ids.contains(""));
  transcript::RecentIds none(0);
  CHECK(none.insert("event_1"));
  CHECK(none.insert("event_1"));
  CHECK_FALSE(none.contains("event_1"));
}

}  // namespace verbatim::session::test
