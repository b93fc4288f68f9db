// Rules 1 to 6 and 10 of docs/transcript-rules.md: a turn's text, and its place.
#include <catch2/catch.hpp>

#include "tests/session/transcript/stream.hpp"

using namespace verbatim;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

// ---- rule 1: text belongs to (item, part) ---------------------------------------------------

TEST_CASE("deltas of two items that interleave do not mix", "[P4][rule1]") {
  Stream stream(begun_answer());
  stream.then({hears("u2", "Wait"), says("a1", "One"), hears("u2", "!"), says("a1", " two")});
  CHECK(stream.turn("a1").text == text("One two"));
  CHECK(stream.turn("u2").text == text("Wait!"));
}

TEST_CASE("any event may be the first to name an item", "[P4][rule1]") {
  for (const EventBody& first :
       {EventBody(SpeechStarted{"u1", 0}), hears("u1", ""), committed("u1")}) {
    Stream stream({first, hears("u1", "Hello"), committed("u1"), heard("u1", "Hello.")});
    CHECK(stream.glance() == "user Hello.");
  }
  for (const EventBody& first :
       {says("a1", "H"), output("resp_1", message("a1", Role::assistant)),
        added(message("a1", Role::assistant)), item_done(message("a1", Role::assistant))}) {
    Stream stream({first, said("a1", "Hi.")});
    CHECK(stream.glance() == "assistant Hi.");
  }
}

// ---- rule 2: done replaces ------------------------------------------------------------------

TEST_CASE("the final text of a part replaces its deltas", "[rule2]") {
  Stream stream({hears("u1", " Yes"), heard("u1", "Yes.")});
  CHECK(stream.turn("u1").text == text("Yes."));
}

TEST_CASE("an empty final text erases nothing", "[P3][rule2]") {
  Stream stream({committed("u1"), hears("u1", "Yes"), heard("u1", "")});
  CHECK(stream.turn("u1").text == text("Yes"));
  CHECK(stream.turn("u1").status == TurnStatus::completed);
}

TEST_CASE("a delta after its part is done changes nothing", "[rule2]") {
  Stream stream({says("a1", "Good"), said("a1", "Good!")});
  CHECK(stream.apply(says("a1", "!")).changed.empty());
  CHECK(stream.turn("a1").text == text("Good!"));
}

TEST_CASE("a snapshot fills a part that never got its own done, and only that", "[rule2]") {
  Stream stream(begun_answer());
  stream.then({says("a1", "Par"), PartSnapshot{"a1", "resp_1", 0, text("Part.")}});
  CHECK(stream.turn("a1").text == text("Part."));
  stream.then({said("a1", "The part."), PartSnapshot{"a1", "resp_1", 0, text("Another.")}});
  CHECK(stream.turn("a1").text == text("The part."));
}

TEST_CASE("a snapshot shorter than the deltas takes nothing away", "[P3][rule2]") {
  Stream stream(begun_answer());
  stream.then({says("a1", "One two three"),
               item_done(message("a1", Role::assistant, {Part{0, text("One two"), false}},
                                 ItemStatus::incomplete))});
  CHECK(stream.turn("a1").text == text("One two three"));
}

TEST_CASE("a snapshot of an unfinished item does not close its parts", "[rule2]") {
  Stream stream(begun_answer());
  const Item halfway =
      message("a1", Role::assistant, {Part{0, text("Hel"), false}}, ItemStatus::in_progress);
  stream.then({says("a1", "Hel"), ItemSnapshot{halfway, true}, says("a1", "lo")});
  CHECK(stream.turn("a1").text == text("Hello"));
}

// ---- rule 3: repeats ------------------------------------------------------------------------

TEST_CASE("an event whose id was seen on this connection is a repeat", "[rule3]") {
  Stream stream({opened()});
  CHECK_FALSE(stream.apply(says("a1", "yes"), "event_1").repeat);
  CHECK(stream.apply(says("a1", "yes"), "event_1").repeat);
  CHECK(stream.turn("a1").text == text("yes"));
}

TEST_CASE("equal text under another id is not a repeat", "[rule3]") {
  Stream stream({opened()});
  stream.apply(says("a1", "yes"), "event_1");
  stream.apply(says("a1", "yes"), "event_2");
  stream.apply(says("a1", "yes"));
  stream.apply(says("a1", "yes"));
  CHECK(stream.turn("a1").text == text("yesyesyesyes"));
}

TEST_CASE("a new connection may use event ids again", "[P8][rule3]") {
  Stream stream;
  stream.apply(opened("sess_1"), "event_1");
  stream.apply(says("a1", "old"), "event_2");
  CHECK_FALSE(stream.apply(opened("sess_2"), "event_1").repeat);
  CHECK_FALSE(stream.apply(says("a2", "new", 0, "resp_2"), "event_2").repeat);
  CHECK(stream.glance() == "assistant old | assistant new");
}

TEST_CASE("a repeated session.created does not end the connection", "[rule3]") {
  Stream stream;
  stream.apply(opened("sess_1"), "event_1");
  stream.apply(says("a1", "Hel"), "event_2");
  CHECK(stream.apply(opened("sess_1"), "event_1").repeat);
  CHECK(stream.turn("a1").status == TurnStatus::in_progress);
}

TEST_CASE("the memory for repeats is bounded and forgets the oldest", "[P11][rule3]") {
  Stream stream;
  stream.transcript = Transcript(TranscriptOptions{2});
  stream.apply(says("a1", "1"), "event_1");
  stream.apply(says("a1", "2"), "event_2");
  stream.apply(says("a1", "3"), "event_3");
  CHECK(stream.apply(says("a1", "3"), "event_3").repeat);
  CHECK(stream.apply(says("a1", "2"), "event_2").repeat);
  CHECK_FALSE(stream.apply(says("a1", "1"), "event_1").repeat);
}

TEST_CASE("audio does not push text out of the memory for repeats", "[P7][rule3]") {
  Stream stream;
  stream.transcript = Transcript(TranscriptOptions{2});
  stream.apply(says("a1", "1"), "event_1");
  for (int i = 0; i < 10; ++i) stream.apply(audio_ms("a1", 10), "audio_" + std::to_string(i));
  CHECK(stream.apply(audio_ms("a1", 10), "audio_9").repeat);
  CHECK(stream.apply(says("a1", "1"), "event_1").repeat);
  CHECK(stream.transcript.audio_sent_ms("a1", 0) == 100);
}

// ---- rule 4: the chain ----------------------------------------------------------------------

TEST_CASE("an item keeps the first place that it was given", "[P4][rule4]") {
  Stream stream({added_first(typed("b", "b")), added(typed("d", "d"), "b"), at_root("a"),
                 added_first(typed("a", "a")), added(typed("c", "c"), "b")});
  CHECK(stream.glance() == "user a | user b | user c | user d");
  stream.then(
      {added_first(typed("d", "d")), added(typed("a", "a"), "d"), item_done(typed("c", "c"))});
  CHECK(stream.glance() == "user a | user b | user c | user d");
}

TEST_CASE("null means the end, unless the client asked for the root", "[P4][rule4]") {
  Stream nulls({added_first(typed("a", "a")), added_first(typed("b", "b")),
                added_first(tool_call("f")), committed("c"), heard("c", "c")});
  CHECK(nulls.glance() == "user a | user b | user c");
  CHECK(nulls.transcript.chain() == Ids{"a", "b", "f", "c"});

  nulls.then({at_root("d"), added_first(typed("d", "d"))});
  CHECK(nulls.glance() == "user d | user a | user b | user c");
  // A requested place is for one item: the next one stands at the end again.
  nulls.then({added_first(typed("e", "e"))});
  CHECK(nulls.glance() == "user d | user a | user b | user c | user e");

  Stream unnamed({added(typed("a", "a")), at_root(""), added_first(typed("item_9", "b"))});
  CHECK(unnamed.glance() == "user b | user a");
}

TEST_CASE("an item after a deletion stands after the deleted place", "[P4][rule4]") {
  // The provider's conversation is then empty, the transcript is not.
  Stream all({added(typed("a", "a")), added(typed("b", "b"), "a"), ItemDeleted{"a"},
              ItemDeleted{"b"}, added_first(typed("c", "c")), added(typed("d", "d"), "c")});
  CHECK(all.glance() == "user a | user b | user c | user d");
  // The same for a client that writes the history again from the root.
  Stream anew({added(typed("a", "a")), ItemDeleted{"a"}, at_root("b"), added_first(typed("b", "b")),
               added(typed("c", "c"), "b")});
  CHECK(anew.glance() == "user a | user b | user c");
  // And if only the last ones were deleted: the provider names the items it still has.
  Stream last({added(typed("a", "a")), added(typed("b", "b"), "a"), ItemDeleted{"b"},
               added(typed("c", "c"), "a"), added(typed("d", "d"), "c")});
  CHECK(last.glance() == "user a | user b | user c | user d");
  // A place between other items is taken literally.
  Stream between({added(typed("a", "a")), added(typed("b", "b"), "a"), added(typed("c", "c"), "b"),
                  ItemDeleted{"b"}, added(typed("x", "x"), "a")});
  CHECK(between.glance() == "user a | user x | user b | user c");
}

TEST_CASE("after a change of connection new turns stand after the earlier ones",
          "[P4][P8][rule4]") {
  for (const EventBody& change : {EventBody(UpstreamLost{"upstream_lost"}), opened("sess_2")}) {
    Stream stream({opened(), added(typed("before", "before")), committed("silent", "before"),
                   TranscriptionFailed{"silent", 0, "audio_unintelligible"}, change,
                   opened("sess_2")});
    // The new connection got only "before", and names it.
    stream.then({added(typed("after 0", "after 0"), "before"), committed("after 1", "after 0"),
                 heard("after 1", "after 1"), added(typed("after 2", "after 2"), "after 1")});
    CHECK(stream.glance() == "user before | user  | user after 0 | user after 1 | user after 2");
    // A client's request is taken literally.
    stream.then({behind("x", "before"), added(typed("x", "x"), "before")});
    CHECK(stream.glance() ==
          "user before | user x | user  | user after 0 | user after 1 | user after 2");
  }
}

TEST_CASE("a client's wish for a place that the new connection does not have is kept",
          "[P4][P8][rule4]") {
  Stream stream({opened(), added(typed("before", "before")), committed("silent", "before"),
                 opened("sess_2"), added(typed("last", "last"), "before"), behind("x", "silent"),
                 added(typed("x", "x"), "before")});
  CHECK(stream.glance() == "user before | user  | user x | user last");
}

TEST_CASE("an absent or unknown predecessor means the end", "[P4][rule4]") {
  Stream stream({added(typed("a", "a")), added(typed("b", "b"), "nobody"), added(typed("c", "c"))});
  CHECK(stream.glance() == "user a | user b | user c");
}

TEST_CASE("a predecessor that was named but not placed is placed first", "[P4][rule4]") {
  Stream stream({added(typed("u1", "one")), says("a1", "two"), added(typed("u2", "three"), "a1")});
  CHECK(stream.glance() == "user one | assistant two | user three");
}

TEST_CASE("an item that names itself as predecessor stands at the end", "[P4][rule4]") {
  Stream stream({added(typed("a", "a")), added(typed("b", "b"), "b")});
  CHECK(stream.glance() == "user a | user b");
}

TEST_CASE("an answer that its provider never places keeps its place in time", "[P4][rule4]") {
  Stream stream({added(typed("u1", "one")), says("a1", "two"), said("a1", "two"),
                 ended("resp_1", ResponseStatus::completed), added(typed("u2", "three"))});
  CHECK(stream.glance() == "user one | assistant two | user three");
}

TEST_CASE("text without a place stands at the end of the conversation", "[P4][rule4]") {
  Stream stream({hears("u2", "so"), added(typed("u1", "Hello"))});
  CHECK(stream.glance() == "user Hello | user so");
}

// ---- rule 5: links and deletions ------------------------------------------------------------

TEST_CASE("tool items are links of the chain and no turns", "[P4][rule5]") {
  Stream stream({added(typed("u1", "Weather?")), added(tool_call("f1"), "u1"),
                 added(typed("u2", "Hurry"), "f1")});
  CHECK(stream.glance() == "user Weather? | user Hurry");
  CHECK(stream.transcript.chain() == Ids{"u1", "f1", "u2"});
  REQUIRE(stream.transcript.item("f1").has_value());
  CHECK(stream.transcript.item("f1")->detail == R"({"type":"function_call"})");
}

TEST_CASE("a deleted turn stays in its place, flagged", "[P3][rule5]") {
  Stream stream({added(typed("u1", "PIN")), added(typed("u2", "Forget it"), "u1")});
  CHECK(stream.apply(ItemDeleted{"u1"}).changed == Ids{"u1"});
  stream.then({added(typed("u3", "Please"), "u1")});
  CHECK(stream.glance() == "user PIN | user Please | user Forget it");
  CHECK(stream.turn("u1").deleted);
}

TEST_CASE("a rebuild does not send a deleted tool item", "[P8][rule5]") {
  Stream stream({added(typed("u1", "x")), added(tool_call("f1"), "u1"), ItemDeleted{"f1"}});
  CHECK(stream.transcript.chain() == Ids{"u1"});
}

// ---- rule 6: out of band --------------------------------------------------------------------

TEST_CASE("a response out of band leaves no turn", "[rule6]") {
  Stream stream({started("resp_x", true), output("resp_x", message("x", Role::assistant)),
                 says("x", "secret", 0, "resp_x"), said("x", "secret", 0, "resp_x"),
                 ended("resp_x", ResponseStatus::completed)});
  CHECK(stream.end().turns.empty());
  CHECK(stream.transcript.gaps().empty());
}

TEST_CASE("a placed item is a turn even if its response was out of band", "[P3][rule6]") {
  Stream stream({started("resp_x", true), says("x", "shown", 0, "resp_x"),
                 added(message("x", Role::assistant))});
  CHECK(stream.glance() == "assistant shown");
}

// ---- rule 10: text is data ------------------------------------------------------------------

TEST_CASE("parts are joined by one newline in their order, empty ones left out", "[rule10]") {
  Stream stream({says("a1", "three", 3), says("a1", "one", 0), says("a1", "", 1)});
  CHECK(stream.turn("a1").text == text("one\nthree"));
}

TEST_CASE("halves of a surrogate pair are joined across deltas", "[rule10]") {
  Stream stream({says("a1", "Hi \xED\xA0\xBD")});
  CHECK(stream.turn("a1").text.utf8() == "Hi \xEF\xBF\xBD");
  stream.then({says("a1", "\xED\xB8\x80!")});
  CHECK(stream.turn("a1").text.utf8() == "Hi \xF0\x9F\x98\x80!");
}
