// One transcript from many writers: examples, and properties for any conversation and any copies of
// it.
#include "session/transcript/merge/merge.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "tests/session/transcript/merge/copies.hpp"

using namespace verbatim;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

Turn relay_turn(int ordinal, Role role, std::string words,
                TurnStatus status = TurnStatus::completed) {
  Turn turn;
  turn.ordinal = ordinal;
  turn.item_id = "item_" + std::to_string(ordinal);
  turn.role = role;
  turn.text = text(std::move(words));
  turn.status = status;
  return turn;
}

std::vector<std::string> words_of(const MergedTranscript& merged) {
  std::vector<std::string> words;
  for (const MergedTurn& turn : merged.turns)
    words.push_back((turn.role == Role::user ? "u:" : "a:") + turn.text.wtf8());
  return words;
}

FinalTranscript relay_heard(std::vector<Turn> turns, bool complete = true) {
  FinalTranscript relay;
  relay.turns = std::move(turns);
  relay.complete = complete;
  return relay;
}

std::vector<Line> twenty_turns() {
  std::vector<Line> lines;
  for (int i = 1; i <= 20; ++i)
    lines.push_back({i % 2 ? user : assistant, "this is turn number " + std::to_string(i)});
  return lines;
}

Copy part_of(std::string writer, const std::vector<Line>& lines, int from, int to, int first) {
  Copy copy{std::move(writer), {}};
  for (int i = from; i <= to; ++i) {
    const Line& line = lines[static_cast<std::size_t>(i - 1)];
    copy.turns.push_back(copied(line.role, line.words, first + (i - from)));
  }
  return copy;
}

std::vector<std::string> words_of(const std::vector<Line>& lines) {
  std::vector<std::string> words;
  for (const Line& line : lines) words.push_back((line.role == user ? "u:" : "a:") + line.words);
  return words;
}

}  // namespace

TEST_CASE("a transcript without posted copies is what the relay heard", "[P3][merge]") {
  const auto relay = relay_heard({relay_turn(1, user, "Hi"), relay_turn(2, assistant, "Hello")});
  const auto merged = merge(relay, {});
  REQUIRE(merged.turns.size() == 2);
  CHECK(static_cast<const Turn&>(merged.turns[1]) == relay.turns[1]);
  CHECK(merged.turns[1].writers == std::vector<std::string>{"relay"});
  CHECK(merged.complete);
}

TEST_CASE("twenty turns and fifteen of them make twenty, for any first number", "[P3][merge]") {
  const auto lines = twenty_turns();
  for (const int base : {0, 1, 7}) {
    const Copy agent = part_of("agent", lines, 1, 20, 1);
    const Copy client = part_of("client", lines, 4, 18, base + 3);
    const Copy recounted = part_of("client", lines, 4, 18, base);
    CHECK(words_of(merge({}, {agent, client})) == words_of(lines));
    CHECK(words_of(merge({}, {client, agent})) == words_of(lines));
    CHECK(words_of(merge({}, {recounted, agent})) == words_of(lines));
  }
}

TEST_CASE("halves that have nothing in common are joined by their numbers", "[P3][merge]") {
  const auto lines = twenty_turns();
  const Copy first = part_of("client", lines, 1, 10, 1);
  const Copy second = part_of("agent", lines, 11, 20, 11);
  CHECK(words_of(merge({}, {second, first})) == words_of(lines));
  Copy odd{"client", {}}, even{"agent", {}};
  for (int i = 1; i <= 20; ++i) {
    const Line& line = lines[static_cast<std::size_t>(i - 1)];
    (i % 2 ? odd : even).turns.push_back(copied(line.role, line.words, i));
  }
  CHECK(words_of(merge({}, {even, odd})) == words_of(lines));
}

TEST_CASE("a copy without numbers that lacks turns does not shift the others", "[P3][merge]") {
  const Copy whole{"agent",
                   {copied(user, "yes"), copied(assistant, "Shall I go on?"), copied(user, "yes"),
                    copied(assistant, "And now the end."), copied(user, "yes")}};
  const Copy part{"client",
                  {copied(assistant, "Shall I go on?"), copied(user, "yes"),
                   copied(assistant, "and now, the end")}};
  CHECK(words_of(merge({}, {part, whole})) == words_of(merge({}, {whole})));
}

TEST_CASE("people say yes twice: consistent numbers are trusted", "[P3][merge]") {
  const Copy agent{"agent",
                   {copied(assistant, "Do you want to go on?", 2), copied(user, "yes", 3),
                    copied(assistant, "Here it is, good luck!", 6)}};
  const Copy client{"client",
                    {copied(assistant, "Do you want to go on?", 2), copied(user, "yes", 5),
                     copied(assistant, "Here it is, good luck!", 6)}};
  CHECK(words_of(merge({}, {agent, client})) ==
        std::vector<std::string>{"a:Do you want to go on?", "u:yes", "u:yes",
                                 "a:Here it is, good luck!"});
}

TEST_CASE("a writer that posts turn by turn counts through its posts", "[P3][merge]") {
  std::vector<Copy> posts;
  for (int i = 1; i <= 6; ++i)
    posts.push_back({"client", {copied(i % 2 ? user : assistant, i % 2 ? "yes" : "sure", i)}});
  const auto merged = merge({}, posts);
  CHECK(merged.turns.size() == 6);
  std::reverse(posts.begin(), posts.end());
  posts.push_back(posts.front());
  CHECK(merge({}, posts) == merged);
}

TEST_CASE("another writer completes a sentence that the relay lost", "[P3][P13][merge]") {
  const auto relay = relay_heard(
      {relay_turn(1, user, "Hi"), relay_turn(2, assistant, "Hello, how", TurnStatus::interrupted)},
      false);
  const Copy agent{"agent", {copied(user, "hi", 0), copied(assistant, "Hello, how are you?", 1)}};
  const auto merged = merge(relay, {agent});
  REQUIRE(merged.turns.size() == 2);
  CHECK(merged.turns[0].text == text("Hi"));
  CHECK(merged.turns[1].text == text("Hello, how are you?"));
  CHECK(merged.turns[1].status == TurnStatus::completed);
  CHECK(merged.turns[1].item_id == "item_2");
  CHECK(merged.turns[1].versions ==
        std::vector<Version>{{"relay", TurnStatus::interrupted, text("Hello, how")}});
  CHECK(merged.turns[1].writers == std::vector<std::string>{"relay", "agent"});
  CHECK(merged.complete);
}

TEST_CASE("no post makes a turn shorter, with any status", "[P3][merge]") {
  const auto relay = relay_heard(
      {relay_turn(1, assistant, "It was a dark and stormy night", TurnStatus::interrupted)}, false);
  for (const std::string words : {"", "It was", "x"}) {
    const Copy client{"client", {copied(assistant, words, {}, "item_1")}};
    const auto merged = merge(relay, {client});
    REQUIRE(merged.turns.size() == 1);
    CHECK(merged.turns[0].text == relay.turns[0].text);
  }
  const auto whole = relay_heard({relay_turn(1, assistant, "Short.")});
  const Copy longer{"client", {copied(assistant, "Short. And what nobody said.", {}, "item_1")}};
  const auto kept = merge(whole, {longer});
  CHECK(kept.turns[0].text == text("Short."));
  CHECK(kept.turns[0].versions.size() == 1);
}

TEST_CASE("speech whose transcription failed is filled by a copy, and the gap is closed",
          "[P3][P13][merge]") {
  auto relay = relay_heard(
      {relay_turn(1, assistant, "What is your name?"), relay_turn(2, user, "", TurnStatus::failed),
       relay_turn(3, assistant, "Nice to meet you.")},
      false);
  relay.gaps = {{"item_2", GapKind::failed_transcription, 0}};
  const Copy client{"client",
                    {copied(assistant, "What is your name?", 0), copied(user, "Ada", 1),
                     copied(assistant, "Nice to meet you.", 2)}};
  const auto merged = merge(relay, {client});
  REQUIRE(merged.turns.size() == 3);
  CHECK(merged.turns[1].text == text("Ada"));
  CHECK(merged.turns[1].status == TurnStatus::completed);
  CHECK(merged.gaps.empty());
  CHECK(merged.complete);
}

TEST_CASE("a number that no copy has is a known gap", "[P13][merge]") {
  const auto lines = twenty_turns();
  Copy agent = part_of("agent", lines, 1, 20, 1);
  agent.turns.erase(agent.turns.begin() + 7);
  const auto merged = merge({}, {agent});
  CHECK(merged.gaps == std::vector<Gap>{{"", GapKind::missing_position, 7}});
  CHECK(merge({}, {agent, part_of("client", lines, 6, 10, 6)}).gaps.empty());
  for (CopyTurn& turn : agent.turns) turn.ordinal = *turn.ordinal * 10;
  CHECK(merge({}, {agent}).gaps.size() == 1);
  for (CopyTurn& turn : agent.turns) turn.ordinal = *turn.ordinal * *turn.ordinal;
  CHECK(merge({}, {agent}).gaps.empty());
}

TEST_CASE("the contribution of one copy is counted", "[P3][merge]") {
  const auto lines = twenty_turns();
  Copy client = part_of("client", lines, 1, 10, 1);
  client.turns[9].text = text("this is turn");
  client.turns[9].status = TurnStatus::interrupted;
  Contribution brought;
  merge({}, {client, part_of("agent", lines, 1, 20, 1)}, 1, brought);
  CHECK(brought.added == 10);
  CHECK(brought.extended == 1);
  CHECK(brought.unchanged == 9);
}

namespace {

/// A conversation, and writers that have only parts of it.
class Case {
 public:
  explicit Case(std::uint64_t seed) : random_(seed) {
    const std::size_t count = 2 + random_.below(24);
    Role role = random_.below(2) ? user : assistant;
    for (std::size_t i = 0; i < count; ++i) {
      truth_.push_back({role, words(i)});
      role = role == user ? assistant : user;
    }
    best_.resize(count, 0);
    counted_ = random_.below(2) == 0;
  }

  FinalTranscript relay() {
    FinalTranscript heard_all;
    if (random_.below(3) == 0) return heard_all;
    const std::size_t end = 1 + random_.below(truth_.size());
    for (std::size_t i = 0; i < end; ++i) {
      const bool cut = i + 1 == end && is_telling(i) && random_.below(2) == 0;
      const std::string words = piece(i, cut);
      heard_all.turns.push_back(relay_turn(static_cast<int>(i + 1), truth_[i].role, words,
                                           cut ? TurnStatus::interrupted : TurnStatus::completed));
    }
    relay_has_ = end;
    return heard_all;
  }

  Copy copy(const std::string& writer) {
    enum { ids, numbers_from_0, numbers_from_1, recounted, in_tens, none };
    auto counting = counted_ ? numbers_from_0 + random_.below(2) : random_.below(6);
    ids_alone_ = ids_alone_ || counting == ids;
    if (counting == in_tens && truth_.size() < 4) counting = recounted;
    Copy made{writer, {}};
    bool dropped_last = false;
    for (std::size_t i = 0; i < truth_.size(); ++i) {
      // If not all writers count correctly, the neighbours of a place identify it.
      const bool witnessed = is_telling(i - 1) && is_telling(i) && is_telling(i + 1) &&
                             !dropped_last && relay_has_ > i + 1;
      const bool may_drop = counted_ || witnessed || (counting == ids && relay_has_ > i + 1);
      dropped_last = may_drop && random_.below(3) == 0 && i != anchor();
      if (dropped_last) continue;
      const bool cut = is_telling(i) && i != anchor() && random_.below(8) == 0;
      CopyTurn turn = copied(truth_[i].role, piece(i, cut), {}, {},
                             cut ? TurnStatus::interrupted : TurnStatus::completed);
      const int number = static_cast<int>(i);
      const int count = static_cast<int>(made.turns.size());
      if (counting == ids) turn.item_id = "item_" + std::to_string(i + 1);
      if (counting == numbers_from_0) turn.ordinal = number;
      if (counting == numbers_from_1) turn.ordinal = number + 1;
      if (counting == recounted) turn.ordinal = count + 1;
      if (counting == in_tens) turn.ordinal = 10 * count;
      made.turns.push_back(std::move(turn));
    }
    const bool numbered = counting != ids && counting != none;
    if (numbered && random_.below(2) == 0) shuffle(made.turns);
    return made;
  }

  template <class Values>
  void shuffle(Values& values) {
    for (std::size_t i = values.size(); i > 1; --i)
      std::swap(values[i - 1], values[random_.below(i)]);
  }

  /// Every turn that any writer has, as the writer with the most text of it has it.
  std::vector<std::string> expected() const {
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < truth_.size(); ++i)
      if (best_[i] > 0)
        lines.push_back((truth_[i].role == user ? "u:" : "a:") +
                        truth_[i].words.substr(0, best_[i]));
    return lines;
  }

  /// An id identifies a turn, not its place.
  bool places_are_known() const { return !ids_alone_; }

  std::size_t below(std::size_t bound) { return random_.below(bound); }

 private:
  bool is_telling(std::size_t i) const { return i < truth_.size() && truth_[i].words.size() > 20; }
  /// One sentence that every writer has, so that their numbers can be compared.
  std::size_t anchor() const {
    for (std::size_t i = 0; i < truth_.size(); ++i)
      if (is_telling(i)) return i;
    return 0;
  }

  std::string words(std::size_t i) {
    static const std::string often[] = {"Yes.", "yes", "No.", "Thank you.", "Okay."};
    if (i != 0 && random_.below(3) == 0) return often[random_.below(std::size(often))];
    std::string sentence = "In line " + std::to_string(i);
    for (int n = 0; n < 6; ++n) sentence += " w" + std::to_string(random_.below(1000));
    return sentence + ".";
  }

  std::string piece(std::size_t i, bool cut) {
    const std::string& all = truth_[i].words;
    std::size_t length = cut && all.size() > 20 ? 16 + random_.below(all.size() - 18) : all.size();
    if (all[length - 1] == ' ') --length;
    best_[i] = std::max(best_[i], length);
    return all.substr(0, length);
  }

  Random random_;
  std::vector<Line> truth_;
  std::vector<std::size_t> best_;
  std::size_t relay_has_ = 0;
  bool counted_ = false;  ///< every copy has the conversation's own numbers, from 0 or from 1
  bool ids_alone_ = false;
};

std::vector<std::string> sorted(std::vector<std::string> lines) {
  std::sort(lines.begin(), lines.end());
  return lines;
}

}  // namespace

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr std::uint64_t cases = 1'000;  // each takes ten times as long
#else
constexpr std::uint64_t cases = 10'000;
#endif
#else
constexpr std::uint64_t cases = 10'000;
#endif

TEST_CASE(
    "any copies of any conversation give one transcript that has all of it, in any order of posts",
    "[P3][merge][property]") {
  for (std::uint64_t seed = 1; seed <= cases; ++seed) {
    Case one(seed);
    const FinalTranscript relay = one.relay();
    std::vector<Copy> copies;
    const std::string writers[] = {"agent", "client", "backup", "phone"};
    for (std::size_t i = 0, n = 1 + one.below(4); i < n; ++i)
      copies.push_back(one.copy(writers[i]));
    const MergedTranscript merged = merge(relay, copies);
    INFO("seed " << seed);
    if (one.places_are_known()) {
      REQUIRE(words_of(merged) == one.expected());
    } else {
      REQUIRE(sorted(words_of(merged)) == sorted(one.expected()));
    }
    for (int again = 0; again < 3; ++again) {
      copies.push_back(copies[one.below(copies.size())]);
      one.shuffle(copies);
      REQUIRE(merge(relay, copies) == merged);
    }
  }
}
