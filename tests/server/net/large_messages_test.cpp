// The limit on all large messages together: it is never exceeded, and never blocks a message for
// ever.
#include "server/net/large_messages.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <random>
#include <string>
#include <vector>

using namespace verbatim;
using net::LargeMessages;
using Share = LargeMessages::Share;

namespace {

constexpr std::size_t bytes_max = 100;
constexpr std::size_t largest = 20;  // 25 for kept messages, 55 for moving ones, 20 for the lane

/// A message that is being read.
struct Reading {
  explicit Reading(LargeMessages& all, const std::string& owner = {})
      : share(std::make_unique<Share>(all, owner)) {}
  bool grow(std::size_t to) {
    bytes = to;
    granted = share->grow(bytes, [this] { granted = true; });
    return granted;
  }
  std::unique_ptr<Share> share;
  std::size_t bytes = 0;  ///< requested
  bool granted = false;
};

}  // namespace

TEST_CASE("a message that fits is granted at once, and others wait for room", "[P11][large]") {
  LargeMessages all(bytes_max, largest);
  std::vector<Reading> first;
  first.reserve(3);
  for (int i = 0; i < 2; ++i) CHECK(first.emplace_back(all).grow(20));
  CHECK(first.emplace_back(all).grow(15));  // the part for moving messages is full
  Reading in_lane(all);
  CHECK(in_lane.grow(20));
  CHECK(all.counts().moving == 75);
  Reading late(all);
  CHECK_FALSE(late.grow(10));
  CHECK(all.counts().waiting == 1);
  first[2].share.reset();
  CHECK(late.granted);
  CHECK(all.counts().moving == 70);
  CHECK(all.counts().waiting == 0);
  CHECK(all.counts().waits == 1);
}

TEST_CASE("messages that hold a part and need more do not wait for each other for ever",
          "[P11][large]") {
  LargeMessages all(bytes_max, largest);
  std::vector<std::unique_ptr<Reading>> readings;
  for (int i = 0; i < 11; ++i) {
    readings.push_back(std::make_unique<Reading>(all));
    REQUIRE(readings.back()->grow(5));
  }
  // All memory for moving messages is given out, and each message needs all of its bytes.
  for (auto& one : readings) one->grow(largest);
  std::size_t finished = 0;
  while (finished < readings.size()) {
    const auto ready = std::find_if(readings.begin(), readings.end(), [](const auto& one) {
      return one->share != nullptr && one->granted;
    });
    REQUIRE(ready != readings.end());
    CHECK(all.counts().moving <= bytes_max - 25);
    (*ready)->share.reset();
    ++finished;
  }
  CHECK(all.counts().moving == 0);
  CHECK(all.counts().waiting == 0);
}

TEST_CASE("waiting messages are served in order: a small one does not overtake a large one",
          "[P11][large]") {
  LargeMessages all(bytes_max, largest);
  std::vector<std::unique_ptr<Reading>> full;
  for (const std::size_t bytes : {20, 20, 15, 20}) {
    full.push_back(std::make_unique<Reading>(all));
    REQUIRE(full.back()->grow(bytes));
  }
  Reading large(all);
  Reading small(all);
  CHECK_FALSE(large.grow(20));
  CHECK_FALSE(small.grow(1));
  full[2].reset();  // 15: room only for the small one
  CHECK_FALSE(large.granted);
  CHECK_FALSE(small.granted);
  full[0].reset();
  CHECK(large.granted);
  CHECK(small.granted);
}

TEST_CASE("a message that goes away while it waits is not waited for", "[P11][large]") {
  LargeMessages all(bytes_max, largest);
  std::vector<std::unique_ptr<Reading>> full;
  for (const std::size_t bytes : {20, 20, 15, 20}) {
    full.push_back(std::make_unique<Reading>(all));
    REQUIRE(full.back()->grow(bytes));
  }
  auto gone = std::make_unique<Reading>(all);
  Reading next(all);
  CHECK_FALSE(gone->grow(20));
  CHECK_FALSE(next.grow(10));
  full[2].reset();
  CHECK_FALSE(next.granted);
  gone.reset();
  CHECK(next.granted);
}

TEST_CASE("kept messages have a part of their own, and do not delay moving ones",
          "[P8][P11][large]") {
  LargeMessages all(bytes_max, largest);
  std::vector<std::unique_ptr<Reading>> sent;
  int kept = 0;
  for (int i = 0; i < 20; ++i) {
    sent.push_back(std::make_unique<Reading>(all));
    REQUIRE(sent.back()->grow(12));
    kept += sent.back()->share->keep() ? 1 : 0;
    sent.back()->share->sent();
    CHECK(all.counts().moving == 0);
  }
  CHECK(kept == 2);
  CHECK(all.counts().kept == 24);
  CHECK(sent[0]->share->keep());  // it is kept already
  sent[0].reset();
  CHECK(all.counts().kept == 12);
  CHECK(sent[5]->share->keep());
}

TEST_CASE("a bound as large as one message lets them through one by one", "[P11][large]") {
  LargeMessages all(largest, largest);
  std::vector<std::unique_ptr<Reading>> readings;
  for (int i = 0; i < 5; ++i) {
    readings.push_back(std::make_unique<Reading>(all));
    CHECK(readings.back()->grow(largest) == (i == 0));
  }
  for (int i = 0; i < 5; ++i) {
    CHECK(readings[i]->granted);
    if (i < 4) CHECK_FALSE(readings[i + 1]->granted);
    CHECK_FALSE(readings[i]->share->keep());
    readings[i].reset();
  }
  CHECK(all.counts().moving == 0);
}

TEST_CASE("in any order of events the limit holds, and all messages end", "[P11][large]") {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    LargeMessages all(bytes_max, largest);
    struct Message {
      std::unique_ptr<Reading> reading;
      std::size_t wanted;
      std::size_t asked = 0;
    };
    std::vector<Message> messages;
    for (int i = 0; i < 40; ++i)
      messages.push_back({std::make_unique<Reading>(all), 1 + random() % largest});
    for (int steps = 0; !messages.empty(); ++steps) {
      REQUIRE(steps < 20'000);  // each step moves one that can move
      Message& one = messages[random() % messages.size()];
      const bool waits = one.asked > 0 && !one.reading->granted;
      if (waits) {
        const bool any = std::any_of(messages.begin(), messages.end(), [](const Message& other) {
          return other.asked == 0 || other.reading->granted;
        });
        REQUIRE(any);
        continue;
      }
      if (one.asked == one.wanted) {
        if (random() % 3 == 0) one.reading->share->keep();
        std::swap(one, messages.back());
        messages.pop_back();
      } else {
        one.asked = std::min(one.wanted, one.asked + 1 + random() % 5);
        one.reading->grow(one.asked);
      }
      const auto counts = all.counts();
      REQUIRE(counts.moving + counts.kept <= bytes_max);
    }
    REQUIRE(all.counts().moving == 0);
    REQUIRE(all.counts().kept == 0);
  }
}

namespace {

/// Of 256 bytes 64 are for kept messages, 32 for the lane, 40 for first parts, 120 for moving ones.
struct Owned {
  static constexpr std::size_t bytes_max = 256;
  static constexpr std::size_t largest = 32;
  static constexpr std::size_t first = 4;
  static constexpr std::size_t of_owner = 120 / 4;
};

/// The bytes that an owner's messages get if all stop before their ends: each has asked for all but
/// one byte.
std::size_t hold_unfinished(LargeMessages& all, std::vector<std::unique_ptr<Reading>>& readings,
                            const std::string& owner, int messages) {
  const std::size_t before = all.counts().moving;
  std::vector<Reading*> mine;
  for (int i = 0; i < messages; ++i) {
    readings.push_back(std::make_unique<Reading>(all, owner));
    mine.push_back(readings.back().get());
  }
  for (std::size_t bytes = 1; bytes < Owned::largest; ++bytes)
    for (Reading* one : mine)
      if (bytes == 1 || one->granted) one->grow(bytes);
  return all.counts().moving - before;
}

}  // namespace

TEST_CASE(
    "an owner's unfinished messages hold a quarter and one message, and no other owner waits for "
    "them",
    "[P11][large]") {
  LargeMessages all(Owned::bytes_max, Owned::largest, Owned::first);
  std::vector<std::unique_ptr<Reading>> readings;
  const std::size_t held = hold_unfinished(all, readings, "user mallory", 40);
  CHECK(held >= Owned::of_owner);
  CHECK(held <= Owned::of_owner + Owned::largest);
  CHECK(all.counts().waiting == 39);
  for (const char* owner : {"user ann", "session s", "provider of user mallory"}) {
    Reading whole(all, owner);
    for (std::size_t bytes = 1; bytes <= Owned::largest; ++bytes) CHECK(whole.grow(bytes));
  }
  CHECK(all.counts().waiting == 39);
}

TEST_CASE("an owner's messages all end, one after the other", "[P11][large]") {
  LargeMessages all(Owned::bytes_max, Owned::largest, Owned::first);
  std::vector<std::unique_ptr<Reading>> readings;
  hold_unfinished(all, readings, "user ann", 40);
  for (int ended = 0; ended < 40; ++ended) {
    const auto moves = std::find_if(readings.begin(), readings.end(),
                                    [](const auto& one) { return one->granted; });
    REQUIRE(moves != readings.end());
    while ((*moves)->granted && (*moves)->bytes < Owned::largest)
      (*moves)->grow((*moves)->bytes + 1);
    if ((*moves)->granted) {
      readings.erase(moves);
    } else {
      --ended;  // it waits for another one
    }
  }
  CHECK(all.counts().moving == 0);
}

TEST_CASE("the first part of a message does not wait for owners that hold everything",
          "[P11][large]") {
  LargeMessages all(Owned::bytes_max, Owned::largest, Owned::first);
  std::vector<std::unique_ptr<Reading>> readings;
  for (int owner = 0; owner < 8; ++owner)
    hold_unfinished(all, readings, "user " + std::to_string(owner), 8);
  REQUIRE(all.counts().waiting > 0);
  std::vector<std::unique_ptr<Reading>> others;
  for (int i = 0; i < 8; ++i) {
    others.push_back(std::make_unique<Reading>(all, "other " + std::to_string(i)));
    CHECK(others.back()->grow(Owned::first));
  }
  Reading large(all, "large");
  CHECK_FALSE(large.grow(Owned::first + 1));
  Reading second(all, "other 0");
  CHECK_FALSE(second.grow(1));  // its owner already has a part
  Reading full(all, "full");
  CHECK_FALSE(full.grow(Owned::first));
  others[3].reset();
  CHECK(full.granted);
  CHECK(all.counts().moving + all.counts().kept <= Owned::bytes_max);
}

TEST_CASE("an owner has at most half of the memory for kept messages, or one message",
          "[P8][P11][large]") {
  LargeMessages all(Owned::bytes_max, Owned::largest, Owned::first);
  std::vector<std::unique_ptr<Reading>> readings;
  const auto kept = [&](const std::string& owner) {
    int count = 0;
    for (int i = 0; i < 16; ++i) {
      readings.push_back(std::make_unique<Reading>(all, owner));
      REQUIRE(readings.back()->grow(8));
      count += readings.back()->share->keep() ? 1 : 0;
      readings.back()->share->sent();
    }
    return count;
  };
  CHECK(kept("user mallory") == 4);
  CHECK(kept("user ann") == 4);
  CHECK(kept("user bob") == 0);
  readings.clear();
  CHECK(kept("user bob") == 4);
}

TEST_CASE("in any order of owners' events the limits hold, and all messages end", "[P11][large]") {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    LargeMessages all(Owned::bytes_max, Owned::largest, Owned::first);
    std::vector<std::unique_ptr<Reading>> messages;
    std::vector<std::size_t> wanted;
    const std::size_t owners = 1 + random() % 12;
    for (int i = 0; i < 60; ++i) {
      const std::string owner = "user " + std::to_string(random() % owners);
      messages.push_back(std::make_unique<Reading>(all, owner));
      wanted.push_back(1 + random() % Owned::largest);
    }
    for (int steps = 0; !messages.empty(); ++steps) {
      REQUIRE(steps < 100'000);
      const std::size_t at = random() % messages.size();
      Reading& one = *messages[at];
      if (one.bytes > 0 && !one.granted) {
        REQUIRE(std::any_of(messages.begin(), messages.end(),
                            [](const auto& other) { return other->bytes == 0 || other->granted; }));
        continue;
      }
      if (one.bytes >= wanted[at]) {
        if (random() % 2 == 0) one.share->resize(1 + random() % wanted[at]);
        if (random() % 3 == 0) one.share->keep();
        if (random() % 3 == 0) one.share->sent();
        messages.erase(messages.begin() + static_cast<std::ptrdiff_t>(at));
        wanted.erase(wanted.begin() + static_cast<std::ptrdiff_t>(at));
      } else {
        one.grow(std::min(wanted[at], one.bytes + 1 + random() % 5));
      }
      const auto counts = all.counts();
      REQUIRE(counts.moving + counts.kept <= Owned::bytes_max);
    }
    REQUIRE(all.counts().moving == 0);
    REQUIRE(all.counts().kept == 0);
    REQUIRE(all.counts().waiting == 0);
  }
}

TEST_CASE("messages that wait get memory when the limit is raised, and a lower one takes none",
          "[P11][large][reload]") {
  LargeMessages all(Owned::bytes_max, Owned::largest);
  std::vector<std::unique_ptr<Reading>> messages;
  while (all.counts().waiting == 0) {
    messages.push_back(std::make_unique<Reading>(all, ""));
    messages.back()->grow(Owned::largest);
  }
  const std::size_t held = all.counts().moving;
  all.set_limits(4 * Owned::bytes_max, Owned::largest);
  CHECK(all.counts().waiting == 0);
  CHECK(all.counts().moving == held + Owned::largest);
  all.set_limits(Owned::bytes_max, Owned::largest);
  CHECK(all.counts().moving == held + Owned::largest);
  messages.push_back(std::make_unique<Reading>(all, ""));
  messages.back()->grow(Owned::largest);
  CHECK(all.counts().waiting == 1);
  messages.pop_back();
  messages.clear();
  CHECK(all.counts().moving == 0);
}
