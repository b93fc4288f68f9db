// Servers that do not place a user's speech, name an item late, or use an id twice.
#include <catch2/catch.hpp>
#include <functional>
#include <set>

#include "session/protocol/openai/event_reader.hpp"
#include "tests/session/transcript/stream.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

EventBody deleted(std::string id) { return ItemDeleted{std::move(id)}; }

ItemPlaced placed_at_end(Item item) { return {std::move(item), Position::front, {}, false}; }

/// An answer that its server places; its predecessor is null or the last answer.
std::vector<EventBody> placed_answer(int n, bool names_last) {
  const std::string id = "a" + std::to_string(n), response = "r" + std::to_string(n);
  const Item begun = message(id, Role::assistant, {}, ItemStatus::in_progress);
  const bool after = names_last && n > 0;
  return {started(response), output(response, begun),
          after ? added(begun, "a" + std::to_string(n - 1)) : EventBody(placed_at_end(begun)),
          said(id, "answer " + std::to_string(n), 0, response),
          ended(response, ResponseStatus::completed)};
}

Item whole_answer(std::string id, std::string words) {
  return typed(std::move(id), std::move(words), Role::assistant);
}

}  // namespace

TEST_CASE("unplaced speech stands before the next placed answer", "[P4][order]") {
  using Say = std::function<std::vector<EventBody>(const std::string&, const std::string&)>;
  const std::vector<Say> ways = {
      [](auto& id, auto& words) { return std::vector<EventBody>{heard(id, words)}; },
      [](auto& id, auto& words) {
        return std::vector<EventBody>{SpeechStarted{id, 0}, SpeechStopped{id, 9}, heard(id, words)};
      },
      [](auto& id, auto& words) {
        return std::vector<EventBody>{hears(id, words.substr(0, 3)), heard(id, words)};
      },
      [](auto&, auto& words) { return std::vector<EventBody>{heard("", words)}; },
      [](auto& id, auto& words) {
        return std::vector<EventBody>{
            item_done(message(id, Role::user, {Part{0, text(words), true}}))};
      }};
  for (std::size_t way = 0; way < ways.size(); ++way)
    for (const bool names_last : {false, true}) {
      INFO("way " << way << ", names the last answer: " << names_last);
      Stream stream({opened()});
      for (int n = 0; n < 3; ++n) {
        stream.then(ways[way]("u" + std::to_string(n), "question " + std::to_string(n)));
        stream.then(placed_answer(n, names_last));
      }
      CHECK(stream.glance() ==
            "user question 0 | assistant answer 0 | user question 1 | assistant answer 1 | "
            "user question 2 | assistant answer 2");
    }
}

TEST_CASE("late transcriptions stand at the place of their speech, before the answer",
          "[P4][order]") {
  Stream stream({opened()});
  for (int n = 0; n < 2; ++n) {
    const std::string id = "u" + std::to_string(n);
    stream.then({SpeechStarted{id, 0}, SpeechStopped{id, 9}});
    stream.then(placed_answer(n, n > 0));
    stream.then({heard(id, "question " + std::to_string(n))});
  }
  CHECK(stream.glance() ==
        "user question 0 | assistant answer 0 | user question 1 | assistant answer 1");
}

TEST_CASE("speech that begins while an answer is placed stands after it", "[P4][order]") {
  Stream stream({opened(), committed("u1"), heard("u1", "One"), SpeechStarted{"u2", 0},
                 hears("u2", "Wai"), started("r0")});
  const Item begun = message("a0", Role::assistant, {}, ItemStatus::in_progress);
  stream.then({output("r0", begun), added(begun, "u1"), said("a0", "Two", 0, "r0"),
               SpeechStopped{"u2", 9}, committed("u2", "a0"), heard("u2", "Wait")});
  CHECK(stream.glance() == "user One | assistant Two | user Wait");
}

TEST_CASE("an item announced after its text is not a second turn", "[P4][text]") {
  const Item item = whole_answer("a1", "One two.");
  const std::vector<std::vector<EventBody>> names = {
      {ResponseEnded{"r1", false, ResponseStatus::completed, {}, {item}, {}}},
      {output("r1", item, true)},
      {PartSnapshot{"a1", "r1", 0, text("One two."), 0}},
      {PartSnapshot{"a1", "r1", 0, text("One two."), no_output_index}},
      {item_done(item)},
      {said("a1", "One two.", 0, "r1")}};
  for (std::size_t way = 0; way < names.size(); ++way)
    for (const bool with_done : {true, false}) {
      INFO("named by way " << way << ", text has its end: " << with_done);
      Stream stream({opened(), added_first(typed("u1", "Q")), started("r1"),
                     says("", "One ", 0, "r1"), says("", "two.", 0, "r1")});
      if (with_done) stream.then({said("", "One two.", 0, "r1")});
      stream.then(names[way]);
      stream.then({ended("r1", ResponseStatus::completed), added(typed("u2", "R"))});
      CHECK(stream.glance() == "user Q | assistant One two. | user R");
    }
}

TEST_CASE("text without an id is of the answer that was placed and is empty", "[P4][text]") {
  for (const bool created : {true, false}) {
    Stream stream({opened(), added_first(typed("u1", "Q"))});
    if (created) stream.then({started("r1")});
    stream.then({added(message("a1", Role::assistant, {}, ItemStatus::in_progress), "u1"),
                 says("", "One ", 0, ""), says("", "two.", 0, ""), said("a1", "One two.", 0, ""),
                 PartSnapshot{"", "", 0, text("One two."), 0},
                 item_done(whole_answer("a1", "One two.")),
                 ended("r1", ResponseStatus::completed)});
    CHECK(stream.glance() == "user Q | assistant One two.");
    CHECK(stream.turn("a1").text == text("One two."));
  }
}

TEST_CASE("an item that is deleted and made again under its id is a turn of its own",
          "[P4][order]") {
  for (const char* words : {"hello", "hello, corrected", "hi"}) {
    Stream stream({opened(), added(typed("t1", "hello")), added(typed("t2", "world"), "t1"),
                   deleted("t1"), ItemRequested{"", typed("t1", words), Position::after, "t2"}});
    const auto applied = stream.apply(added(typed("t1", words), "t2"));
    CHECK(std::set<std::string>(applied.changed.begin(), applied.changed.end()) ==
          std::set<std::string>{"t1", "t1@1"});
    const auto turns = stream.transcript.turns();
    REQUIRE(turns.size() == 3);
    CHECK(turns[0].text == text("hello"));
    CHECK(turns[0].deleted);
    CHECK(turns[1].item_id == "t2");
    CHECK(turns[2].item_id == "t1");
    CHECK(turns[2].text == text(words));
    CHECK_FALSE(turns[2].deleted);
    CHECK(stream.end().complete);
  }
}

TEST_CASE("a server with one id for all of a kind loses no words", "[P4][P13][order]") {
  for (const char* constant : {"utterance", "answer", "response", "item"}) {
    INFO("the same id for each " << constant);
    const auto is = [constant](const char* kind) { return std::string(constant) == kind; };
    Stream stream({opened()});
    for (int n = 0; n < 3; ++n) {
      const std::string number = std::to_string(n);
      const std::string u = is("utterance") || is("item") ? "same" : "u" + number;
      const std::string a = is("answer") || is("item") ? "same" : "a" + number;
      const std::string r = is("response") ? "same" : "r" + number;
      stream.then({committed(u), placed_at_end(message(u, Role::user, {Part{0, {}, true}})),
                   heard(u, "say " + number), started(r),
                   output(r, message(a, Role::assistant, {}, ItemStatus::in_progress)),
                   says(a, "answer ", 0, r), says(a, number, 0, r),
                   said(a, "answer " + number, 0, r),
                   output(r, whole_answer(a, "answer " + number), true),
                   ResponseEnded{r,
                                 false,
                                 ResponseStatus::completed,
                                 {},
                                 {whole_answer(a, "answer " + number)},
                                 R"({"total_tokens":7})"}});
    }
    CHECK(stream.glance() ==
          "user say 0 | assistant answer 0 | user say 1 | assistant answer 1 | user say 2 | "
          "assistant answer 2");
    CHECK(stream.transcript.used().total_tokens == 3 * 7);
  }
}

TEST_CASE("an utterance whose text grows before its commit is one turn", "[P4][order]") {
  const Item spoken = message("u1", Role::user, {Part{0, {}, true}});
  for (const bool placed_first : {true, false}) {
    Stream stream({opened(), SpeechStarted{"u1", 0}});
    if (placed_first) stream.then({added(spoken)});
    stream.then({heard("u1", "You are"), SpeechStarted{"u1", 5}, heard("u1", "You are now")});
    if (!placed_first) stream.then({added(spoken)});
    stream.then({SpeechStopped{"u1", 9}, committed("u1"), heard("u1", "You are now here.")});
    CHECK(stream.glance() == "user You are now here.");
  }
}

TEST_CASE("typed items that were never acknowledged keep the place that was requested",
          "[P4][P13][order]") {
  struct Asked {
    std::string id, previous;  // "": the end; "root": the front
    bool acknowledged = false;
  };
  const auto play = [](const std::vector<Asked>& list) {
    Stream stream({opened()});
    for (const Asked& one : list) {
      ItemRequested asked{"", typed(one.id, one.id), Position::end, {}};
      if (one.previous == "root") asked.place = Position::front;
      if (asked.place == Position::end && !one.previous.empty()) {
        asked.place = Position::after;
        asked.previous = one.previous;
      }
      stream.then({asked});
      if (one.acknowledged) stream.then({added(typed(one.id, one.id), one.previous)});
    }
    std::string order;
    for (const Turn& turn : stream.end().turns) order += turn.text.utf8() + " ";
    return order;
  };
  CHECK(play({{"x1", ""}, {"x2", ""}, {"x3", ""}}) == "x1 x2 x3 ");
  CHECK(play({{"x1", ""}, {"x2", "x1"}, {"x3", "x2"}}) == "x1 x2 x3 ");
  CHECK(play({{"x1", "root"}, {"x2", "x1"}, {"x3", "x2"}}) == "x1 x2 x3 ");
  CHECK(play({{"x1", ""}, {"x2", "root"}}) == "x2 x1 ");
  CHECK(play({{"t1", "", true}, {"t2", "t1", true}, {"x1", "t1"}, {"x2", "x1"}, {"x3", "x2"}}) ==
        "t1 x1 x2 x3 t2 ");
  CHECK(play({{"t1", "", true}, {"t2", "t1", true}, {"x1", "t1"}, {"x2", "t1"}}) == "t1 x2 x1 t2 ");
  CHECK(play({{"t1", "", true}, {"x1", "t1"}, {"x2", ""}, {"x3", ""}}) == "t1 x1 x2 x3 ");
  CHECK(play({{"t1", "", true}, {"x2", "t1"}, {"t3", "x2", true}}) == "t1 x2 t3 ");
}

TEST_CASE("two typed texts under one id that were never acknowledged are both kept", "[P2][P13]") {
  Stream stream({opened(), ItemRequested{"", typed("x1", "one"), Position::end, {}},
                 ItemRequested{"", typed("x1", "two"), Position::end, {}},
                 ItemRequested{"", typed("x1", "one"), Position::end, {}}});
  const auto last = stream.end();
  REQUIRE(last.turns.size() == 2);
  CHECK(last.turns[0].text == text("one"));
  CHECK(last.turns[1].text == text("two"));
  CHECK(last.gaps.size() == 2);
}

TEST_CASE("words under another member than their event's own are read", "[P9][P13]") {
  const auto words_of = [](const char* message) -> std::string {
    const auto event = read_server_event(message);
    if (!event) return "nothing";
    Stream stream({opened(), committed("s1")});
    stream.apply(event->body);
    std::string words;
    for (const Turn& turn : stream.transcript.turns()) words += turn.text.utf8();
    return words;
  };
  for (
      const char* message :
      {R"({"type":"response.output_text.done","response_id":"r","item_id":"a1","transcript":"words"})",
       R"({"type":"response.output_audio_transcript.done","response_id":"r","item_id":"a1","text":"words"})",
       R"({"type":"response.output_audio_transcript.delta","response_id":"r","item_id":"a1","text":"words"})",
       R"({"type":"conversation.item.input_audio_transcription.completed","item_id":"s1","text":"words"})",
       R"({"type":"conversation.item.input_audio_transcription.delta","item_id":"s1","transcript":"words"})",
       R"({"type":"conversation.item.added","item":{"id":"u1","type":"message","role":"user","content":{"type":"input_text","text":"words"}}})",
       R"({"type":"conversation.item.added","item":{"id":"u1","type":"message","role":"user","content":[{"type":"input_text","text":{"value":"words"}}]}})",
       R"({"type":"conversation.item.done","item":{"id":"u1","type":"message","role":"user","content":[{"type":"input_text","transcript":"words"}]}})",
       R"({"type":"conversation.item.added","item":{"id":"a1","type":"message","role":"assistant","content":[{"type":"refusal","refusal":"words"}]}})",
       R"({"type":"response.content_part.done","response_id":"r","item_id":"a1","part":{"type":"audio","text":"words"}})"}) {
    INFO(message);
    CHECK(words_of(message) == "words");
  }
}
