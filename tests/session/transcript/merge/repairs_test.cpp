// Second transcriptions of failed turns in a merge: one copy with one turn for each.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "session/transcript/merge/merge.hpp"
#include "session/transcript/render/receipt.hpp"
#include "session/transcript/usage.hpp"
#include "tests/session/transcript/stream.hpp"

using namespace verbatim;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

/// An id that does not sort as the conversation goes.
std::string id(int ordinal) { return "item_" + std::to_string(ordinal * 7919 % 1000); }

Turn relay_turn_with(int ordinal, TurnStatus status, std::string words) {
  Turn turn;
  turn.ordinal = ordinal;
  turn.item_id = id(ordinal);
  turn.role = ordinal % 2 ? Role::user : Role::assistant;
  turn.status = status;
  turn.text = text(std::move(words));
  return turn;
}

Copy repair(int ordinal, std::string words) {
  CopyTurn turn;
  turn.item_id = id(ordinal);
  turn.ordinal = ordinal;
  turn.role = Role::user;
  turn.text = text(std::move(words));
  return {repair_writer, {turn}};
}

std::string words_of_turn(int ordinal) {
  return ordinal % 6 == 1 ? "Yes." : "Number " + id(ordinal);
}

/// All transcriptions have failed or are empty; every answer is the same.
FinalTranscript silent_conversation(int turns) {
  FinalTranscript relay;
  for (int n = 1; n <= turns; ++n) {
    if (n % 2 == 0) {
      relay.turns.push_back(relay_turn_with(n, TurnStatus::completed, "I see."));
    } else if (n % 4 == 1) {
      relay.turns.push_back(relay_turn_with(n, TurnStatus::failed, ""));
      relay.gaps.push_back({id(n), GapKind::failed_transcription});
    } else {
      relay.turns.push_back(relay_turn_with(n, TurnStatus::completed, ""));
    }
  }
  return relay;
}

}  // namespace

TEST_CASE("every repair fills its own turn, in any order", "[P3][P15][merge][repair]") {
  constexpr int turns = 200;
  const FinalTranscript relay = silent_conversation(turns);
  std::vector<Copy> copies;
  for (int n = 1; n <= turns; n += 2) copies.push_back(repair(n, words_of_turn(n)));
  // A back end that heard some of it too.
  Copy agent{"agent", {}};
  for (int n = 3; n <= 40; ++n) {
    CopyTurn turn;
    turn.role = n % 2 ? Role::user : Role::assistant;
    turn.text = text(n % 2 ? words_of_turn(n) : "I see.");
    agent.turns.push_back(turn);
  }
  if (GENERATE(false, true)) copies.push_back(agent);
  const auto merged = merge(relay, copies);
  REQUIRE(merged.turns.size() == turns);
  for (int n = 1; n <= turns; ++n) {
    const MergedTurn& turn = merged.turns[static_cast<std::size_t>(n - 1)];
    CHECK(turn.item_id == id(n));
    CHECK(turn.text == text(n % 2 ? words_of_turn(n) : "I see."));
    CHECK(turn.repaired == (n % 2 == 1));
  }
  CHECK(merged.gaps.empty());
  CHECK(merged.complete);
  CHECK(receipt_of("s", 1, merged).repaired == turns / 2);
  std::mt19937 random(7);
  std::shuffle(copies.begin(), copies.end(), random);
  CHECK(merge(relay, copies) == merged);
}

TEST_CASE("some of the repairs fill some of the turns", "[P3][P15][merge][repair]") {
  const FinalTranscript relay = silent_conversation(200);
  std::vector<Copy> copies;
  for (int n = 1; n <= 200; n += 10) copies.push_back(repair(n, "Yes."));
  const auto merged = merge(relay, copies);
  REQUIRE(merged.turns.size() == 200);
  for (int n = 1; n <= 200; n += 2)
    CHECK(merged.turns[static_cast<std::size_t>(n - 1)].repaired == (n % 10 == 1));
  CHECK_FALSE(merged.complete);
}

TEST_CASE("a repair never replaces or shortens what the relay heard", "[P3][P15][merge][repair]") {
  FinalTranscript relay;
  relay.turns = {relay_turn_with(1, TurnStatus::completed, "We said this"),
                 relay_turn_with(3, TurnStatus::interrupted, "A long beginning of a sentence")};
  relay.gaps = {{id(3), GapKind::failed_transcription}};
  const auto merged = merge(relay, {repair(1, "Another longer text than that"), repair(3, "Yes")});
  REQUIRE(merged.turns.size() == 2);
  CHECK(merged.turns[0].text == text("We said this"));
  CHECK(merged.turns[1].text == text("A long beginning of a sentence"));
  CHECK_FALSE(merged.turns[0].repaired);
  CHECK_FALSE(merged.turns[1].repaired);
  CHECK(merged.turns[1].versions ==
        std::vector<Version>{{"repair", TurnStatus::completed, text("Yes")}});
  CHECK(merged.gaps.size() == 1);
  const auto whole =
      merge(relay, {repair(3, "Yes"), repair(3, "A long beginning of a sentence and its end")});
  CHECK(whole.turns[1].repaired);
  CHECK(whole.gaps.empty());
}

TEST_CASE("the language of a session's transcriptions is kept with its usage", "[P15][repair]") {
  const auto settings = [](const std::string& language) {
    return R"({"type":"realtime","audio":{"input":{"transcription":{"model":"w","language":)" +
           language + "}}}}";
  };
  CHECK(transcription_language(settings(R"("de")")) == "de");
  CHECK(transcription_language(R"({"hides_transcription":true,"session":)" +
                               settings(R"("pt-BR")") + "}") == "pt-BR");
  for (const char* const none : {"null", "\"\"", "5", R"("d")", R"("de\r\nX: y")", R"("Deutsch!")"})
    CHECK(transcription_language(settings(none)).empty());
  CHECK(transcription_language("{").empty());
  CHECK(language_in("[{\"total_tokens\":1}," + spoken_language("fr") + "]") == "fr");
  CHECK(language_in("[]").empty());

  Stream stream(
      {opened(), SettingsChanged{settings(R"("en")")}, SettingsChanged{settings(R"("nl")")}});
  CHECK(language_in(stream.end().usage_json) == "nl");
}
