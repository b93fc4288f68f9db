// Copies that only lack turns: they neither shrink a conversation nor double its turns, however few
// words it has and however their writers count.
#include <algorithm>
#include <catch2/catch.hpp>

#include "session/transcript/merge/merge.hpp"
#include "tests/session/transcript/merge/copies.hpp"
#include "tests/support/rounds.hpp"

using namespace verbatim;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

enum class Counting { none, from_0, from_1, places_from_0, places_from_1 };
constexpr Counting countings[] = {Counting::none, Counting::from_0, Counting::from_1,
                                  Counting::places_from_0, Counting::places_from_1};

/// The turns at `places` of a conversation, as a writer with this numbering has them.
Copy copy_of(std::string writer, const Lines& lines, const std::vector<std::size_t>& places,
             Counting counting) {
  Copy copy{std::move(writer), {}};
  for (const std::size_t place : places) {
    CopyTurn& turn = copy.turns.emplace_back();
    turn.role = lines[place].role;
    turn.text = text(lines[place].words);
    const auto count = static_cast<int>(copy.turns.size());
    if (counting == Counting::from_0) turn.ordinal = count - 1;
    if (counting == Counting::from_1) turn.ordinal = count;
    if (counting == Counting::places_from_0) turn.ordinal = static_cast<int>(place);
    if (counting == Counting::places_from_1) turn.ordinal = static_cast<int>(place) + 1;
  }
  return copy;
}

std::vector<std::size_t> all_places(const Lines& lines) {
  std::vector<std::size_t> places(lines.size());
  for (std::size_t i = 0; i < places.size(); ++i) places[i] = i;
  return places;
}

FinalTranscript heard_by_relay(const Lines& lines) {
  FinalTranscript relay;
  for (const Line& line : lines) {
    Turn& turn = relay.turns.emplace_back();
    turn.ordinal = static_cast<int>(relay.turns.size());
    turn.item_id = "item_" + std::to_string(turn.ordinal);
    turn.role = line.role;
    turn.status = TurnStatus::completed;
    turn.text = text(line.words);
  }
  relay.complete = true;
  return relay;
}

Lines lines_of(const MergedTranscript& merged) {
  Lines lines;
  for (const MergedTurn& turn : merged.turns) lines.push_back({turn.role, turn.text.wtf8()});
  return lines;
}

Lines lines_of(const Copy& copy) {
  Lines lines;
  for (const CopyTurn& turn : copy.turns) lines.push_back({turn.role, turn.text.wtf8()});
  return lines;
}

/// True if `part` is `whole` with turns taken out.
bool is_within(const Lines& part, const Lines& whole) {
  std::size_t i = 0;
  for (const Line& line : whole)
    if (i < part.size() && part[i] == line) ++i;
  return i == part.size();
}

/// The same, in any order.
bool has_all_of(const Lines& whole, const Lines& part) {
  return std::all_of(part.begin(), part.end(), [&](const Line& line) {
    return std::count(part.begin(), part.end(), line) <=
           std::count(whole.begin(), whole.end(), line);
  });
}

std::string shown(const Lines& lines) {
  std::string all;
  for (const Line& line : lines)
    all += (line.role == user ? " u:" : line.role == assistant ? " a:" : " s:") + line.words;
  return all;
}

std::string shown(const Copy& copy) {
  std::string all = copy.writer + ":";
  for (const CopyTurn& turn : copy.turns)
    all += " " + (turn.ordinal ? std::to_string(*turn.ordinal) : "-") +
           (turn.role == user ? "u:" : "a:") + turn.text.wtf8();
  return all;
}

class Conversation {
 public:
  explicit Conversation(std::uint64_t seed) : random_(seed) {
    static const std::vector<std::string> vocabularies[] = {
        {"yes"},
        {"yes", "no"},
        {"maybe", "no", "yes", "right"},
        {"yes", "of course", "no", "thank you"},
        {"Yes.", "No!", "是的", "Ok"},
        {"Could you say that again, please?", "yes"},
        {"I did not get that at all.", "What was it that you said?", "Let us go on from there."},
    };
    const auto& words = vocabularies[random_.below(std::size(vocabularies))];
    const std::size_t count = 6 + random_.below(15);
    const std::size_t speakers = random_.below(3);  // in turn, one alone, at random
    for (std::size_t i = 0; i < count; ++i) {
      const bool other = speakers == 0 ? i % 2 == 1 : speakers == 2 && random_.below(2) == 1;
      lines.push_back({other ? assistant : user, words[random_.below(words.size())]});
    }
    for (const std::string& one : words) has_sentences |= one.size() > 12;
  }

  /// Three quarters of the places, in order.
  std::vector<std::size_t> part() {
    std::vector<std::size_t> places = all_places(lines);
    for (std::size_t left = lines.size() - (lines.size() * 3 + 2) / 4; left > 0; --left)
      places.erase(places.begin() + static_cast<std::ptrdiff_t>(random_.below(places.size())));
    return places;
  }
  Counting counting() { return countings[random_.below(std::size(countings))]; }
  std::size_t below(std::size_t bound) { return random_.below(bound); }

  Lines lines;
  bool has_sentences = false;

 private:
  Random random_;
};

/// A writer that numbers turns in its own way, and may count messages that are not turns.
struct Counter {
  enum Way { nothing, what_it_has, places };

  Way way = nothing;
  int first = 0;
  std::vector<int> messages;  ///< counted before the turn at each place

  Copy copy_of(std::string writer, const Lines& lines,
               const std::vector<std::size_t>& of_places) const {
    Copy copy = ::copy_of(std::move(writer), lines, of_places, Counting::none);
    if (way == nothing) return copy;
    int counted = 0;
    std::size_t before = 0;
    for (std::size_t i = 0; i < of_places.size(); ++i) {
      for (; before <= of_places[i] && before < messages.size(); ++before)
        counted += messages[before];
      const std::size_t turns = way == what_it_has ? i : of_places[i];
      copy.turns[i].ordinal = first + counted + static_cast<int>(turns);
    }
    return copy;
  }
};

/// Numbers from the beginning or from far above, with messages counted at any places or at none.
Counter counter_of(Conversation& one) {
  Counter counter;
  counter.way = static_cast<Counter::Way>(one.below(3));
  counter.first = static_cast<int>(one.below(3));
  if (counter.first == 2) counter.first = 100 + static_cast<int>(one.below(100'000));
  counter.messages.assign(one.lines.size(), 0);
  for (std::size_t skips = one.below(5); skips > 0; --skips)
    counter.messages[one.below(counter.messages.size())] += 1 + static_cast<int>(one.below(2));
  return counter;
}

bool has_holes(const Copy& copy) {
  for (std::size_t i = 1; i < copy.turns.size(); ++i)
    if (copy.turns[i].ordinal.value_or(0) > copy.turns[i - 1].ordinal.value_or(0) + 1) return true;
  return false;
}

/// All sets are run by `session_tests "[lacking]"` with VERBATIM_SETS=100000.
std::uint64_t sets() {
  return verbatim::test::from_environment("VERBATIM_SETS", verbatim::test::rounds(4'000));
}

}  // namespace

TEST_CASE("a copy that only lacks turns adds none, wherever it begins to count",
          "[P3][merge][lacking]") {
  const auto alternating = [](std::initializer_list<const char*> words) {
    Lines lines;
    for (const char* word : words) lines.push_back({lines.size() % 2 ? assistant : user, word});
    return lines;
  };
  const Lines lines = alternating({"maybe", "no", "yes", "right", "maybe", "no"});
  const Lines all_yes = alternating({"yes", "yes", "yes", "yes", "yes", "yes", "yes"});
  for (const Counting ours : countings)
    for (const Counting theirs : countings) {
      CHECK(lines_of(merge({}, {copy_of("agent", lines, all_places(lines), ours),
                                copy_of("client", lines, {0, 3, 4, 5}, theirs)})) == lines);
      CHECK(lines_of(merge({}, {copy_of("agent", all_yes, all_places(all_yes), ours),
                                copy_of("client", all_yes, {1, 2, 3, 5}, theirs)})) == all_yes);
    }
}

TEST_CASE("a whole copy and any three quarters of it are the whole copy",
          "[P3][merge][lacking][property]") {
  for (std::uint64_t seed = 1; seed <= sets(); ++seed) {
    Conversation one(seed);
    const Copy whole = copy_of("agent", one.lines, all_places(one.lines), one.counting());
    const Copy part = copy_of("client", one.lines, one.part(), one.counting());
    INFO("seed " << seed << "\n" << shown(whole) << "\n" << shown(part));
    const MergedTranscript merged = merge({}, {whole, part});
    REQUIRE(shown(lines_of(merged)) == shown(one.lines));
    REQUIRE(merge({}, {part, whole, part}) == merged);
    const FinalTranscript relay = heard_by_relay(one.lines);
    const MergedTranscript relayed = merge(relay, {part});
    REQUIRE(shown(lines_of(relayed)) == shown(one.lines));
    const Copy other = copy_of("backup", one.lines, one.part(), one.counting());
    INFO(shown(other));
    const MergedTranscript three = merge({}, {other, part, whole});
    REQUIRE(shown(lines_of(three)) == shown(one.lines));
    REQUIRE(merge({}, {whole, other, part}) == three);
    REQUIRE(shown(lines_of(merge(relay, {other, part, whole}))) == shown(one.lines));
  }
}

TEST_CASE("two copies that both lack turns merge without a lost or doubled turn",
          "[P3][merge][lacking][property]") {
  for (std::uint64_t seed = 1; seed <= sets(); ++seed) {
    Conversation one(seed);
    const auto ours = one.part(), theirs = one.part();
    const Counting counting = one.counting();
    const bool alike = one.below(2) == 0;
    const Copy agent = copy_of("agent", one.lines, ours, counting);
    const Copy client = copy_of("client", one.lines, theirs, alike ? counting : one.counting());
    INFO("seed " << seed << shown(one.lines) << "\n" << shown(agent) << "\n" << shown(client));
    const MergedTranscript merged = merge({}, {agent, client});
    const Lines lines = lines_of(merged);
    INFO("merged" << shown(lines));
    REQUIRE(lines.size() <= one.lines.size());
    // A sentence that stands once in each copy is one turn, even if one writer put it behind the
    // answer.
    REQUIRE(has_all_of(lines, lines_of(agent)));
    REQUIRE(has_all_of(lines, lines_of(client)));
    if (!one.has_sentences) {
      REQUIRE(is_within(lines_of(agent), lines));
      REQUIRE(is_within(lines_of(client), lines));
    }
    REQUIRE(merge({}, {client, agent, client}) == merged);
  }
}

TEST_CASE("equal places of both writers identify turns, for any text",
          "[P3][merge][lacking][property]") {
  for (std::uint64_t seed = 1; seed <= sets(); ++seed) {
    Conversation one(seed);
    auto ours = one.part(), theirs = one.part();
    // Both have the first turn, so both show where their numbers begin. And both know of a gap.
    if (ours.front() != 0) ours.insert(ours.begin(), 0);
    if (theirs.front() != 0) theirs.insert(theirs.begin(), 0);
    const auto holes = [](const auto& places) { return places.back() + 1 > places.size(); };
    if (!holes(ours) || !holes(theirs)) continue;
    Lines expected;
    for (std::size_t i = 0; i < one.lines.size(); ++i)
      if (std::count(ours.begin(), ours.end(), i) + std::count(theirs.begin(), theirs.end(), i))
        expected.push_back(one.lines[i]);
    const auto counting = one.below(2) ? Counting::places_from_0 : Counting::places_from_1;
    const Copy agent = copy_of("agent", one.lines, ours, counting);
    const Copy client = copy_of("client", one.lines, theirs, counting);
    INFO("seed " << seed << shown(one.lines) << "\n" << shown(agent) << "\n" << shown(client));
    const Lines lines = lines_of(merge({}, {agent, client}));
    // If the words of one copy lie within the other's, it may lack turns, or count messages that
    // are not turns. Sentences can still show that the numbers are places.
    const bool is_part = is_within(lines_of(agent), lines_of(client)) ||
                         is_within(lines_of(client), lines_of(agent));
    if (!is_part) {
      REQUIRE(shown(lines) == shown(expected));
      continue;
    }
    REQUIRE(is_within(lines_of(agent), lines));
    REQUIRE(is_within(lines_of(client), lines));
    REQUIRE(is_within(lines, expected));
    if (!one.has_sentences) REQUIRE(lines.size() == std::max(ours.size(), theirs.size()));
  }
}

TEST_CASE("one counted message doubles no turn that follows it", "[P3][merge][lacking]") {
  const auto conversation = [](std::size_t count, const auto& words) {
    Lines lines;
    for (std::size_t i = 0; i < count; ++i) lines.push_back({i % 2 ? assistant : user, words(i)});
    return lines;
  };
  const char* const few[] = {"Hi", "Hello", "Name?", "Ann", "Ok", "Bye"};
  const Lines conversations[] = {
      conversation(6, [&](std::size_t i) { return std::string(few[i]); }),
      conversation(6, [](std::size_t) { return std::string("yes"); }),
      conversation(20, [](std::size_t i) { return "w" + std::to_string(i); }),
      conversation(20, [](std::size_t i) { return "this is sentence " + std::to_string(i); }),
      conversation(20,
                   [](std::size_t i) {
                     return i > 15 ? std::string("ok") : "this is sentence " + std::to_string(i);
                   }),
  };
  for (const Lines& lines : conversations)
    for (std::size_t at = 0; at < lines.size(); ++at)
      for (const std::size_t messages : {1, 2, 3})
        for (const int first : {0, 1, 7, 100}) {
          Counter counter;
          counter.way = Counter::places;
          counter.first = first;
          counter.messages.assign(at + 1, 0);
          counter.messages[at] = static_cast<int>(messages);
          const Copy agent = counter.copy_of("agent", lines, all_places(lines));
          INFO(shown(agent));
          for (const Counting counting : countings) {
            const Copy client = copy_of("client", lines, all_places(lines), counting);
            INFO(shown(client));
            CHECK(shown(lines_of(merge({}, {agent, client}))) == shown(lines));
            CHECK(shown(lines_of(merge({}, {client, agent}))) == shown(lines));
          }
          CHECK(shown(lines_of(merge(heard_by_relay(lines), {agent}))) == shown(lines));
        }
}

TEST_CASE("a whole copy and a part of it merge to the whole copy, for any numbering",
          "[P3][merge][lacking][property]") {
  for (std::uint64_t seed = 1; seed <= sets(); ++seed) {
    Conversation one(seed);
    const Counter ours = counter_of(one), theirs = counter_of(one);
    const Copy whole = ours.copy_of("agent", one.lines, all_places(one.lines));
    const Copy part = theirs.copy_of("client", one.lines, one.part());
    // The truth can be decided: one copy is whole, and the other's words lie within it. It cannot
    // if both numberings have gaps and sentences have the same numbers before and behind a gap:
    // then the numbers look like places, if only by chance.
    if (one.has_sentences && has_holes(whole) && has_holes(part)) continue;
    INFO("seed " << seed << shown(one.lines) << "\n" << shown(whole) << "\n" << shown(part));
    const MergedTranscript merged = merge({}, {whole, part});
    REQUIRE(shown(lines_of(merged)) == shown(one.lines));
    REQUIRE(merge({}, {part, whole, part}) == merged);
    REQUIRE(shown(lines_of(merge(heard_by_relay(one.lines), {part}))) == shown(one.lines));
    REQUIRE(shown(lines_of(merge(heard_by_relay(one.lines), {whole}))) == shown(one.lines));
    const Copy other = copy_of("backup", one.lines, one.part(), Counting::none);
    INFO(shown(other));
    const MergedTranscript three = merge({}, {other, part, whole});
    REQUIRE(shown(lines_of(three)) == shown(one.lines));
    REQUIRE(merge({}, {whole, other, part}) == three);
  }
}

TEST_CASE("two parts neither lose nor double a turn if one of their writers counts other messages",
          "[P3][merge][lacking][property]") {
  for (std::uint64_t seed = 1; seed <= sets(); ++seed) {
    Conversation one(seed);
    const Copy agent = counter_of(one).copy_of("agent", one.lines, one.part());
    const Copy client = counter_of(one).copy_of("client", one.lines, one.part());
    // Two numberings with gaps, each with turns that the other lacks, can be places or counted
    // messages: nothing in them decides which.
    if (has_holes(agent) && has_holes(client)) continue;
    INFO("seed " << seed << shown(one.lines) << "\n" << shown(agent) << "\n" << shown(client));
    const MergedTranscript merged = merge({}, {agent, client});
    const Lines lines = lines_of(merged);
    INFO("merged" << shown(lines));
    REQUIRE(lines.size() <= one.lines.size());
    REQUIRE(has_all_of(lines, lines_of(agent)));
    REQUIRE(has_all_of(lines, lines_of(client)));
    if (!one.has_sentences) {
      REQUIRE(is_within(lines_of(agent), lines));
      REQUIRE(is_within(lines_of(client), lines));
    }
    REQUIRE(merge({}, {client, agent, client}) == merged);
  }
}

TEST_CASE("a copy that is posted in parts is the sum of its parts, however few its words are",
          "[P3][merge][lacking]") {
  Conversation one(7);
  for (auto& line : one.lines) line.words = "yes";
  const auto places = all_places(one.lines);
  for (std::size_t cut = 1; cut < places.size(); ++cut)
    for (const std::size_t overlap : {0, 1, 2}) {
      const std::vector<std::size_t> first(places.begin(),
                                           places.begin() + static_cast<std::ptrdiff_t>(cut));
      const std::vector<std::size_t> second(
          places.begin() + static_cast<std::ptrdiff_t>(cut - std::min(cut, overlap)), places.end());
      for (const auto counting : {Counting::places_from_0, Counting::places_from_1}) {
        const Copy head = copy_of("agent", one.lines, first, counting);
        const Copy tail = copy_of("agent", one.lines, second, counting);
        INFO(shown(head) << "\n" << shown(tail));
        CHECK(merge({}, {tail, head}).turns.size() == one.lines.size());
      }
    }
}

TEST_CASE("two turns of one copy with one item id and two speakers are two turns", "[P3][merge]") {
  const auto said = [](Role role, const char* words, const char* id) {
    CopyTurn turn;
    turn.role = role;
    turn.text = text(words);
    turn.item_id = id;
    return turn;
  };
  const Copy agent{"agent",
                   {said(user, "What time is it?", "turn_1"), said(assistant, "Noon.", "turn_1"),
                    said(user, "Thank you.", "turn_2"), said(assistant, "Not at all.", "turn_2")}};
  const Lines expected = {{user, "What time is it?"},
                          {assistant, "Noon."},
                          {user, "Thank you."},
                          {assistant, "Not at all."}};
  CHECK(lines_of(merge({}, {agent})) == expected);
  Copy client = agent;
  client.writer = "client";
  client.turns.erase(client.turns.begin() + 1);
  CHECK(lines_of(merge({}, {agent, client})) == expected);
  FinalTranscript relay;
  for (const CopyTurn& turn : {agent.turns[0], agent.turns[2]}) {
    Turn& heard = relay.turns.emplace_back();
    heard.item_id = turn.item_id;
    heard.role = turn.role;
    heard.text = turn.text;
    heard.status = TurnStatus::completed;
  }
  CHECK(lines_of(merge(relay, {agent, client})) == expected);
}
