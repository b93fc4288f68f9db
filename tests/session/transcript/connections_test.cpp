// Rule 11 of docs/transcript-rules.md, and the rest: times, requests, reconnects, notifications.
#include <catch2/catch.hpp>

#include "tests/session/transcript/stream.hpp"

using namespace verbatim;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

// ---- rule 11, times, requests, connections --------------------------------------------------

TEST_CASE("an event about an unknown item changes nothing", "[rule11]") {
  Stream stream;
  CHECK(stream.apply(ItemDeleted{"x"}).changed.empty());
  CHECK(stream.apply(truncated("x", 100)).changed.empty());
  CHECK(stream.end().turns.empty());
}

TEST_CASE("model text cannot change a user's turn, nor the other way: it gets its own turn",
          "[P13][rule11]") {
  Stream stream({added(typed("x1", "Mine")), says("x1", "Yo"), said("x1", "Yours")});
  stream.then({added(message("x2", Role::assistant), "x1"), said("x2", "More"), heard("x2", "Hm")});
  CHECK(stream.glance() == "user Mine | assistant Yours | assistant More | user Hm");
  CHECK(stream.turn("x1#assistant").text == text("Yours"));
}

TEST_CASE("a turn has the times of its speech, of its words, or of its placing", "[times]") {
  Stream stream(spoken_question());                      // 1 to 4
  stream.then({heard("u1", "What?"), started("resp_1"),  // 5, 6
               says("a1", "So"), said("a1", "So."),      // 7, 8
               added(message("a1", Role::assistant), "u1"), added(typed("u2", "Hm"), "a1")});
  CHECK(stream.turn("u1").started_at == 1);
  CHECK(stream.turn("u1").ended_at == 2);
  CHECK(stream.turn("a1").started_at == 7);
  CHECK(stream.turn("a1").ended_at == 8);
  CHECK(stream.turn("u2").started_at == 10);
  CHECK(stream.turn("u2").ended_at == 10);
}

TEST_CASE("a turn cut off ends with its last word, not with its session", "[P2][times]") {
  Stream stream(begun_answer());
  stream.then({says("a1", "Once")});
  const TimeMs last_word = stream.now;
  stream.now += 60'000;
  stream.end();
  CHECK(stream.turn("a1").ended_at == last_word);
}

TEST_CASE("a client's item is a gap until the provider has placed it", "[P13][requests]") {
  Stream by_id({ItemRequested{"", typed("u1", "One")}, ItemRequested{"", typed("u2", "Two")},
                added(typed("u2", "Two"))});
  CHECK(by_id.transcript.gaps().empty());  // gaps are found only at the end
  CHECK(by_id.end().gaps == std::vector<Gap>{{"u1", GapKind::unacknowledged_item}});

  Stream in_order({ItemRequested{"", typed("", "One")}, ItemRequested{"", typed("", "Two")},
                   added(typed("item_1", "One"))});
  const auto last = in_order.end();
  CHECK(last.gaps == std::vector<Gap>{{"item_unnamed_1", GapKind::unacknowledged_item}});
  CHECK_FALSE(last.complete);
}

TEST_CASE("an item that the server makes itself does not acknowledge a client's request",
          "[P13][requests]") {
  Stream stream({ItemRequested{"", typed("", "Mine")}, committed("u1"), heard("u1", "Spoken"),
                 added(message("u1", Role::user, {Part{0, {}, true}}))});
  CHECK(stream.end().gaps == std::vector<Gap>{{"item_unnamed_1", GapKind::unacknowledged_item}});
}

TEST_CASE("an error that names the client's event drops its request", "[P13][requests]") {
  Stream stream({ItemRequested{"c1", typed("", "One")}, ItemRequested{"c2", typed("", "Two")}});
  stream.then({ProviderError{"invalid_request_error", "", ""}, ProviderError{"", "", "c1"},
               added(typed("item_2", "Two"))});
  CHECK(stream.end().complete);
}

TEST_CASE("a conversation rebuilt on a new connection neither doubles nor moves a turn",
          "[P8][connections]") {
  Stream stream({opened("sess_1")});
  stream.then(spoken_question());
  stream.then({heard("u1", "Remember: blue."), says("a1", "Blu"),
               added(message("a1", Role::assistant, {}, ItemStatus::in_progress), "u1")});
  stream.then({opened("sess_2")});
  CHECK(stream.turn("a1").status == TurnStatus::interrupted);
  stream.then({added_first(typed("a1", "Blu", Role::assistant)), item_done(typed("a1", "Blu")),
               added(typed("u1", "Remember: blue."), "a1"), committed("u2", "a1"),
               heard("u2", "Which?")});
  CHECK(stream.glance() == "user Remember: blue. | assistant Blu | user Which?");
  CHECK(stream.turn("a1").status == TurnStatus::interrupted);
  CHECK_FALSE(stream.end().complete);
}

TEST_CASE("speech without a place keeps its place in time over a reconnect", "[P8][connections]") {
  Stream stream({opened("sess_1"), added(typed("u1", "one")), hears("u2", "two"), opened("sess_2"),
                 added(typed("u3", "three"))});
  CHECK(stream.glance() == "user one | user two | user three");
  CHECK(stream.turn("u2").status == TurnStatus::interrupted);
}

TEST_CASE("a new connection's responses are not those of the old one", "[P8][connections]") {
  Stream stream({opened("sess_1")});
  stream.then(begun_answer());
  stream.then({says("a1", "Hel"), opened("sess_2"), started("resp_1"), says("a2", "New"),
               ended("resp_1", ResponseStatus::cancelled)});
  CHECK(stream.turn("a1").status == TurnStatus::interrupted);
  CHECK(stream.turn("a2").status == TurnStatus::cancelled);
}

TEST_CASE("apply() returns exactly the items whose turn changed", "[touched]") {
  Stream stream;
  CHECK(stream.apply(opened()).changed.empty());
  CHECK(stream.apply(SpeechStarted{"u1", 0}).changed.empty());
  CHECK(stream.apply(hears("u1", "Hi")).changed == Ids{"u1"});
  CHECK(stream.apply(hears("u1", "")).changed.empty());
  CHECK(stream.apply(started("resp_1")).changed.empty());
  CHECK(stream.apply(says("a1", "A")).changed == Ids{"a1"});
  CHECK(stream.apply(says("a2", "B")).changed == Ids{"a2"});
  CHECK(stream.apply(ended("resp_1", ResponseStatus::failed)).changed == Ids{"a1", "a2"});
  CHECK(stream.apply(ended("resp_1", ResponseStatus::failed)).changed.empty());
  CHECK(stream.apply(opened("sess_2")).changed == Ids{"u1"});
}

TEST_CASE("after the end nothing changes any more", "[P2]") {
  Stream stream(begun_answer());
  stream.then({says("a1", "Hi")});
  stream.end();
  const auto before = stream.transcript.turns();
  CHECK(stream.apply(says("a1", " more")).changed.empty());
  stream.end();
  CHECK(stream.transcript.turns() == before);
}

TEST_CASE("usage is kept once for each response", "[usage]") {
  Stream stream({ResponseEnded{"resp_1", false, ResponseStatus::completed, "", {}, R"({"a":1})"},
                 ResponseEnded{"resp_1", false, ResponseStatus::completed, "", {}, R"({"a":1})"},
                 ResponseEnded{"resp_2", true, ResponseStatus::completed, "", {}, R"({"b":2})"}});
  CHECK(stream.end().usage_json ==
        R"([{"verbatim_usage_of":{"response_id":"resp_1"}},{"a":1},)"
        R"({"verbatim_usage_of":{"response_id":"resp_2"}},{"b":2},)"
        R"({"verbatim_responses":{"by_status":{"completed":2},"last_reason":null}}])");
}

TEST_CASE("no turn is left in progress, after any events of a reconnect", "[P2][connections]") {
  // Found by fuzzing: an item was settled with its old connection; a new connection that named it
  // as an answer opened it again.
  Stream stream({added(message("a1", Role::unknown)), opened("sess_2"), says("a1", "Hel")});
  for (const Turn& turn : stream.end().turns) CHECK(turn.status != TurnStatus::in_progress);
}
