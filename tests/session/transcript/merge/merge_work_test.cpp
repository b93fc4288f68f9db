// The cost of a merge, and the handling of copies that would cost too much.
#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "session/transcript/merge/merge.hpp"
#include "session/transcript/merge/text_similarity.hpp"
#include "tests/session/transcript/merge/copies.hpp"

using namespace verbatim;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

/// Texts that have no word in common.
std::string unlike(std::size_t n) {
  std::string words;
  for (const char* part : {"alpha", "beta", "gamma"})
    words += (words.empty() ? "" : " ") + std::string(part) + std::to_string(n);
  return words;
}

Copy unlike_copy(const std::string& writer, std::size_t from, std::size_t count,
                 bool numbered = true) {
  Copy copy{writer, {}};
  for (std::size_t i = 0; i < count; ++i)
    copy.turns.push_back(copied(i % 2 ? Role::assistant : Role::user, unlike(from + i),
                                numbered ? std::optional(static_cast<int>(i + 1)) : std::nullopt));
  return copy;
}

MergedTranscript merge_within(std::uint64_t work, const std::vector<Copy>& copies) {
  Contribution ignored;
  return merge({}, copies, copies.size(), ignored, work);
}

/// Everything that a reader can see in it.
std::multiset<std::string> words_in(const MergedTranscript& merged) {
  std::multiset<std::string> words;
  for (const MergedTurn& turn : merged.turns) {
    words.insert(turn.text.wtf8());
    for (const Version& version : turn.versions) words.insert(version.text.wtf8());
  }
  return words;
}

/// Some sentences, some words that people often repeat, some turns cut short.
std::vector<Copy> generated_copies(Random& random) {
  std::vector<std::string> truth;
  for (std::size_t i = 0; i < 4 + random.below(30); ++i)
    truth.push_back(random.below(3) ? unlike(random.below(1000)) : random.below(2) ? "yes" : "no");
  std::vector<Copy> copies;
  for (std::size_t writer = 0; writer < 1 + random.below(6); ++writer) {
    Copy copy{"writer" + std::to_string(writer), {}};
    const std::size_t counts = random.below(3);
    for (std::size_t i = 0; i < truth.size(); ++i) {
      if (random.below(4) == 0) continue;
      CopyTurn turn = copied(i % 2 ? Role::assistant : Role::user, truth[i]);
      if (random.below(6) == 0 && truth[i].size() > 12) {
        turn.text = text(truth[i].substr(0, 8));
        turn.status = TurnStatus::interrupted;
      }
      if (counts == 0) turn.ordinal = static_cast<int>(i + 1);
      if (counts == 1) turn.item_id = "item_" + std::to_string(i);
      copy.turns.push_back(turn);
    }
    if (!copy.turns.empty()) copies.push_back(std::move(copy));
  }
  return copies;
}

}  // namespace

TEST_CASE("with any limit on work no turn is lost, and no order or repetition of posts matters",
          "[P3][P11][merge][property]") {
  for (std::uint64_t seed = 1; seed <= 1'000; ++seed) {
    Random random(seed);
    std::vector<Copy> copies = generated_copies(random);
    const std::uint64_t work = random.below(4) == 0 ? 0 : random.below(20'000);
    const MergedTranscript merged = merge_within(work, copies);
    const auto words = words_in(merged);
    for (const Copy& copy : copies)
      for (const CopyTurn& turn : copy.turns) {
        INFO("seed " << seed << ": " << turn.text.wtf8());
        REQUIRE(words.contains(turn.text.wtf8()));
      }
    for (int i = 0; i < 3; ++i) {
      std::vector<Copy> again = copies;
      again.push_back(copies[random.below(copies.size())]);
      for (std::size_t n = again.size(); n > 1; --n)
        std::swap(again[n - 1], again[random.below(n)]);
      INFO("seed " << seed);
      REQUIRE(merge_within(work, again).turns == merged.turns);
    }
  }
}

TEST_CASE("another copy removes nothing, even beyond the limit on work",
          "[P3][P11][merge][property]") {
  for (std::uint64_t seed = 1; seed <= 1'000; ++seed) {
    Random random(seed);
    const std::vector<Copy> copies = generated_copies(random);
    const std::uint64_t work = random.below(20'000);
    std::vector<Copy> some;
    for (const Copy& copy : copies) {
      const auto before = merge_within(work, some);
      some.push_back(copy);
      const auto words = words_in(merge_within(work, some));
      for (const MergedTurn& turn : before.turns) {
        INFO("seed " << seed << ": " << turn.text.wtf8());
        REQUIRE(words.contains(turn.text.wtf8()));
      }
    }
  }
}

TEST_CASE("without work turns are the same by their ids and their words, and keep their number",
          "[P3][P11][merge]") {
  const Copy all = unlike_copy("agent", 0, 20);
  Copy some{"client", {}};
  for (const std::size_t i : {1u, 4u, 5u, 17u}) some.turns.push_back(all.turns[i]);
  CHECK(merge_within(0, {all, some}).turns.size() == 20);
  // A person who says "yes" three times has said it three times.
  Copy yes{"agent", {}}, twice{"client", {}};
  for (int i = 0; i < 3; ++i) yes.turns.push_back(copied(Role::user, "yes"));
  for (int i = 0; i < 2; ++i) twice.turns.push_back(copied(Role::user, "Yes."));
  CHECK(merge_within(0, {yes, twice}).turns.size() == 3);
  CHECK(merge_within(0, {yes, twice, unlike_copy("other", 0, 2)}).turns.size() == 5);
  // One id, two texts: the longer one counts, the other stays as a version.
  Copy first{"agent", {copied(Role::user, "there is the")}},
      second{"client", {copied(Role::user, "There is the station")}};
  first.turns[0].item_id = second.turns[0].item_id = "item_1";
  first.turns.push_back(copied(Role::assistant, "there"));
  const auto merged = merge_within(0, {first, second});
  REQUIRE(merged.turns.size() == 2);
  CHECK(merged.turns[0].text.wtf8() == "There is the station");
}

TEST_CASE("the relay's turns keep their order, before turns that were not compared",
          "[P3][P11][merge]") {
  FinalTranscript relay;
  for (int i = 0; i < 4; ++i) {
    Turn turn;
    turn.ordinal = i + 1;
    turn.role = i % 2 ? Role::assistant : Role::user;
    turn.status = TurnStatus::completed;
    turn.text = text(unlike(static_cast<std::size_t>(i)));
    relay.turns.push_back(turn);
  }
  relay.complete = true;
  Contribution brought;
  const auto merged = merge(relay, {unlike_copy("agent", 2, 4)}, 0, brought, 0);
  REQUIRE(merged.turns.size() == 6);
  for (std::size_t i = 0; i < 6; ++i) CHECK(merged.turns[i].text.wtf8() == unlike(i));
  CHECK(brought.added == 2);
  CHECK(brought.unchanged == 2);
}

TEST_CASE("copies that are costly to compare are merged too, with all that they have",
          "[P11][merge]") {
  std::vector<Copy> copies;
  SECTION("many turns that have one number") {
    Copy copy{"agent", {}};
    for (std::size_t i = 0; i < 20'000; ++i) copy.turns.push_back(copied(Role::user, unlike(i), 1));
    copies.push_back(std::move(copy));
  }
  SECTION("the same, of two writers") {
    for (const char* writer : {"agent", "client"}) {
      Copy copy{writer, {}};
      for (std::size_t i = 0; i < 10'000; ++i)
        copy.turns.push_back(copied(Role::user, unlike(copies.size() * 10'000 + i), 1));
      copies.push_back(std::move(copy));
    }
  }
  SECTION("many copies of a few unlike turns") {
    for (std::size_t n = 0; n < 10'000; ++n)
      copies.push_back(unlike_copy("writer" + std::to_string(n), 2 * n, 2, false));
  }
  SECTION("turns that all begin alike, of many writers") {
    for (std::size_t n = 0; n < 10; ++n) {
      Copy copy{"writer" + std::to_string(n), {}};
      for (std::size_t i = 0; i < 2'000; ++i)
        copy.turns.push_back(copied(Role::user, "theverysamebeginning " + unlike(2'000 * n + i)));
      copies.push_back(std::move(copy));
    }
  }
  SECTION("turns cut short, and others that begin nearly as they do") {
    Copy cut{"agent", {}}, others{"client", {}};
    for (std::size_t i = 0; i < 10'000; ++i) {
      cut.turns.push_back(copied(Role::user, "theverysamebeginning " + unlike(i)));
      cut.turns.back().status = TurnStatus::interrupted;
      others.turns.push_back(copied(Role::user, "theverysamebeginning " + unlike(10'000 + i)));
    }
    copies = {cut, others};
  }
  std::size_t turns = 0;
  for (const Copy& copy : copies) turns += copy.turns.size();
  // Without the limit each of these would take minutes.
  CHECK(words_in(merge_within(merge_work_max / 32, copies)).size() == turns);
}

TEST_CASE("two long texts are compared by their beginnings", "[merge]") {
  std::string one, two, other;
  for (int i = 0; i < 5'000; ++i) {
    one += "word" + std::to_string(i) + " ";
    two += (i % 4 ? "word" : "werd") + std::to_string(i) + " ";
    other += "else" + std::to_string(i) + " ";
  }
  CHECK(similar(one, two));
  CHECK_FALSE(similar(one, other));
  CHECK_FALSE(similar(one, one.substr(0, one.size() / 4)));  // most of the text is only in one
}
