// One test a rule of docs/transcript-rules.md, and one for each way in which it could be got wrong.
#include <catch2/catch.hpp>

#include "stream.hpp"

using namespace verbatim::session;
using namespace verbatim::session::test;

namespace {

using Ids = std::vector<std::string>;

std::vector<EventBody> spoken_question() {
  return {SpeechStarted{"u1", 1000}, SpeechStopped{"u1", 2000}, committed("u1"),
          added_first(message("u1", Role::user, {Part{0, {}, true}}))};
}

std::vector<EventBody> begun_answer() {
  return {added_first(typed("u1", "Go.")), started("resp_1"),
          output("resp_1", message("a1", Role::assistant, {}, ItemStatus::in_progress)),
          added(message("a1", Role::assistant, {}, ItemStatus::in_progress), "u1")};
}

}  // namespace

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
  CHECK(stream.apply(says("a1", "!")).touched.empty());
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

TEST_CASE("an item stands where its first place says, and is never moved", "[P4][rule4]") {
  Stream stream({added_first(typed("b", "b")), added(typed("d", "d"), "b"),
                 added_first(typed("a", "a")), added(typed("c", "c"), "b")});
  CHECK(stream.glance() == "user a | user b | user c | user d");
  stream.then(
      {added_first(typed("d", "d")), added(typed("a", "a"), "d"), item_done(typed("c", "c"))});
  CHECK(stream.glance() == "user a | user b | user c | user d");
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

TEST_CASE("text without a place stands behind the conversation", "[P4][rule4]") {
  Stream stream({hears("u2", "so"), added(typed("u1", "Hello"))});
  CHECK(stream.glance() == "user Hello | user so");
}

// ---- rule 5: links and deletions ------------------------------------------------------------

TEST_CASE("tool items are links of the chain and no turns", "[P4][rule5]") {
  Stream stream({added(typed("u1", "Weather?")), added(tool_call("f1"), "u1"),
                 added(typed("u2", "Hurry"), "f1")});
  CHECK(stream.glance() == "user Weather? | user Hurry");
  CHECK(stream.transcript.chain() == Ids{"u1", "f1", "u2"});
  REQUIRE(stream.transcript.item("f1") != nullptr);
  CHECK(stream.transcript.item("f1")->detail == R"({"type":"function_call"})");
}

TEST_CASE("a deleted turn stays in its place, flagged", "[P3][rule5]") {
  Stream stream({added(typed("u1", "PIN")), added(typed("u2", "Forget it"), "u1")});
  CHECK(stream.apply(ItemDeleted{"u1"}).touched == Ids{"u1"});
  stream.then({added(typed("u3", "Please"), "u1")});
  CHECK(stream.glance() == "user PIN | user Please | user Forget it");
  CHECK(stream.turn("u1").deleted);
}

TEST_CASE("a deleted tool item is not part of what a rebuild needs", "[P8][rule5]") {
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

TEST_CASE("an item that is placed is a turn whatever its response said", "[P3][rule6]") {
  Stream stream({started("resp_x", true), says("x", "shown", 0, "resp_x"),
                 added(message("x", Role::assistant))});
  CHECK(stream.glance() == "assistant shown");
}

// ---- rule 7: an answer's status -------------------------------------------------------------

TEST_CASE("an answer is in progress until its item or its response says more", "[rule7]") {
  Stream stream(begun_answer());
  stream.then({says("a1", "Hi"), said("a1", "Hi")});
  CHECK(stream.turn("a1").status == TurnStatus::in_progress);
  CHECK(stream.apply(output("resp_1", message("a1", Role::assistant), true)).touched == Ids{"a1"});
  CHECK(stream.turn("a1").status == TurnStatus::completed);
}

TEST_CASE("the response's end decides for an item that is not complete", "[P5][rule7]") {
  const auto [told, status] = GENERATE(table<ResponseStatus, TurnStatus>({
      {ResponseStatus::cancelled, TurnStatus::cancelled},
      {ResponseStatus::failed, TurnStatus::failed},
      {ResponseStatus::incomplete, TurnStatus::interrupted},
  }));
  Stream stream(begun_answer());
  stream.then({says("a1", "Hel")});
  CHECK(stream.apply(ended("resp_1", told, "why")).touched == Ids{"a1"});
  CHECK(stream.turn("a1").status == status);
  CHECK(stream.turn("a1").reason == "why");
  CHECK(stream.turn("a1").text == text("Hel"));
  CHECK(stream.end().complete);
}

TEST_CASE("a completed item stays completed when its response is cancelled later", "[rule7]") {
  Stream stream(begun_answer());
  stream.then({said("a1", "Done."), output("resp_1", message("a1", Role::assistant), true),
               ended("resp_1", ResponseStatus::cancelled, "turn_detected")});
  CHECK(stream.turn("a1").status == TurnStatus::completed);
}

TEST_CASE("at the end of the stream a part without its done is an interrupted turn",
          "[P2][rule7]") {
  Stream stream(begun_answer());
  stream.then({said("a1", "One.", 0), says("a1", "Tw", 1)});
  const auto last = stream.end();
  CHECK(last.turns.back().status == TurnStatus::interrupted);
  CHECK(last.turns.back().text == text("One.\nTw"));
  CHECK_FALSE(last.complete);
}

TEST_CASE("at the end of the stream an answer without a word is interrupted", "[P2][rule7]") {
  Stream stream(begun_answer());
  CHECK(stream.end().turns.back().status == TurnStatus::interrupted);
}

TEST_CASE("at the end of the stream all parts done means completed", "[P2][rule7]") {
  Stream stream(begun_answer());
  stream.then({said("a1", "Hi.")});
  const auto last = stream.end();
  CHECK(last.turns.back().status == TurnStatus::completed);
  CHECK(last.complete);
}

TEST_CASE("at the end of the stream an answer that was talked over is cancelled", "[P2][rule7]") {
  const EventBody over =
      GENERATE(EventBody(CancelRequested{}), EventBody(CancelRequested{"resp_1"}),
               EventBody(SpeechStarted{"u2", 0}));
  Stream stream(begun_answer());
  stream.then({says("a1", "Hi"), over, said("a1", "Hi there")});
  stream.end();
  CHECK(stream.turn("a1").status == TurnStatus::cancelled);
}

TEST_CASE("a cancel of another response, or before this one, does not concern it", "[rule7]") {
  Stream stream({CancelRequested{}});
  stream.then(begun_answer());
  stream.then({CancelRequested{"resp_other"}, said("a1", "Hi.")});
  stream.end();
  CHECK(stream.turn("a1").status == TurnStatus::completed);
}

TEST_CASE("at the end of the stream an incomplete item is interrupted", "[P2][rule7]") {
  Stream stream(begun_answer());
  stream.then({said("a1", "It was a dark"),
               item_done(message("a1", Role::assistant, {}, ItemStatus::incomplete))});
  stream.end();
  CHECK(stream.turn("a1").status == TurnStatus::interrupted);
}

// ---- rule 8: a user's status, and gaps ------------------------------------------------------

TEST_CASE("a typed turn is complete at once", "[rule8]") {
  Stream stream({added(typed("u1", "Hello"))});
  CHECK(stream.turn("u1").status == TurnStatus::completed);
}

TEST_CASE("speech is complete when its transcription is", "[rule8]") {
  Stream stream(spoken_question());
  CHECK(stream.turn("u1").status == TurnStatus::in_progress);
  CHECK(stream.apply(heard("u1", "What?")).touched == Ids{"u1"});
  CHECK(stream.turn("u1").status == TurnStatus::completed);
}

TEST_CASE("speech whose transcription failed keeps its slot and its words, with the reason",
          "[P13][rule8]") {
  Stream stream(spoken_question());
  stream.then({hears("u1", "Wha"), TranscriptionFailed{"u1", 0, "audio_unintelligible"}});
  CHECK(stream.turn("u1").status == TurnStatus::failed);
  CHECK(stream.turn("u1").reason == "audio_unintelligible");
  CHECK(stream.turn("u1").text == text("Wha"));
  CHECK(stream.transcript.gaps() == std::vector<Gap>{{"u1", GapKind::missing_transcription}});
  CHECK_FALSE(stream.end().complete);
}

TEST_CASE("a transcription that comes after a failure wins", "[P13][rule8]") {
  Stream stream(spoken_question());
  stream.then({TranscriptionFailed{"u1", 0, "x"}, heard("u1", "What?")});
  CHECK(stream.turn("u1").status == TurnStatus::completed);
  CHECK(stream.transcript.gaps().empty());
  stream.then({TranscriptionFailed{"u1", 0, "x"}});
  CHECK(stream.turn("u1").status == TurnStatus::completed);
}

TEST_CASE("committed speech without a transcription is an interrupted turn and a gap",
          "[P13][rule8]") {
  Stream stream(spoken_question());
  CHECK(stream.transcript.gaps().empty());
  const auto last = stream.end();
  REQUIRE(last.turns.size() == 1);
  CHECK(last.turns[0].status == TurnStatus::interrupted);
  CHECK(last.gaps == std::vector<Gap>{{"u1", GapKind::missing_transcription}});
  CHECK_FALSE(last.complete);
}

TEST_CASE("an empty transcription is a turn and no gap", "[P13][rule8]") {
  Stream stream(spoken_question());
  stream.then({heard("u1", "")});
  const auto last = stream.end();
  REQUIRE(last.turns.size() == 1);
  CHECK(last.turns[0].status == TurnStatus::completed);
  CHECK(last.complete);
}

TEST_CASE("speech that was never committed and has no text is a gap and no turn", "[P13][rule8]") {
  Stream stream({SpeechStarted{"u1", 0}});
  CHECK(stream.transcript.gaps().empty());
  const auto last = stream.end();
  CHECK(last.turns.empty());
  CHECK(last.gaps == std::vector<Gap>{{"u1", GapKind::uncommitted_speech}});
  CHECK_FALSE(last.complete);
}

TEST_CASE("speech whose audio was cleared away is no gap", "[P13][rule8]") {
  Stream stream({SpeechStarted{"u1", 0}, BufferCleared{}});
  const auto last = stream.end();
  CHECK(last.turns.empty());
  CHECK(last.complete);
}

TEST_CASE("uncommitted speech with text is an interrupted turn", "[P2][rule8]") {
  Stream stream({SpeechStarted{"u1", 0}, hears("u1", " I would")});
  const auto last = stream.end();
  REQUIRE(last.turns.size() == 1);
  CHECK(last.turns[0].status == TurnStatus::interrupted);
  CHECK(last.turns[0].text == text(" I would"));
  CHECK_FALSE(last.complete);
}

// ---- rule 9: heard --------------------------------------------------------------------------

TEST_CASE("heard text is cut at the fraction of audio played, back to a word", "[P5][rule9]") {
  Stream stream(begun_answer());
  stream.then({says("a1", "One two three four five six seven eight"), audio_ms("a1", 1500),
               audio_ms("a1", 500), truncated("a1", 1000)});
  const Turn turn = stream.turn("a1");
  CHECK(turn.status == TurnStatus::truncated);
  REQUIRE(turn.heard);
  CHECK(turn.heard->audio_ms == 1000);
  CHECK(turn.heard->text == text("One two three four"));
  CHECK(turn.text == text("One two three four five six seven eight"));
}

TEST_CASE("a truncated event that carries the audio sent needs no audio", "[P5][P7][rule9]") {
  Stream stream(begun_answer());
  stream.then({says("a1", "One two three four"), truncated("a1", 500, 1000)});
  CHECK(stream.turn("a1").heard->text == text("One two"));
}

TEST_CASE("truncated wins over every other status", "[P5][rule9]") {
  Stream stream(begun_answer());
  stream.then({said("a1", "Honey never spoils."),
               output("resp_1", message("a1", Role::assistant), true),
               ended("resp_1", ResponseStatus::completed)});
  CHECK(stream.apply(truncated("a1", 300, 800)).touched == Ids{"a1"});
  CHECK(stream.turn("a1").status == TurnStatus::truncated);
  CHECK(stream.turn("a1").heard->text == text("Honey"));
}

TEST_CASE("all audio played means all text heard", "[P5][rule9]") {
  Stream stream(begun_answer());
  stream.then({said("a1", "Hello there."), truncated("a1", 600, 600)});
  CHECK(stream.turn("a1").heard->text == text("Hello there."));
}

TEST_CASE("without a known amount of audio nothing is claimed to be heard", "[P5][rule9]") {
  Stream stream(begun_answer());
  stream.then({said("a1", "Hello there."), truncated("a1", 600)});
  CHECK(stream.turn("a1").heard->audio_ms == 600);
  CHECK(stream.turn("a1").heard->text.empty());
}

TEST_CASE("parts before the truncated one were heard, parts behind it were not", "[P5][rule9]") {
  Stream stream(begun_answer());
  stream.then({said("a1", "First.", 0), said("a1", "Second part", 1), said("a1", "Third", 2),
               truncated("a1", 500, 800, 1)});
  CHECK(stream.turn("a1").heard->text == text("First.\nSecond"));
}

TEST_CASE("heard text never ends inside a character", "[P5][rule9]") {
  for (std::int64_t ms = 0; ms <= 100; ++ms) {
    Stream stream(begun_answer());
    const std::string words = "\xE4\xBD\xA0\xE5\xA5\xBD\xE3\x80\x82 na\xC3\xAFve \xF0\x9F\x98\x80!";
    stream.then({said("a1", words), truncated("a1", ms, 100)});
    const auto got = stream.turn("a1").heard->text;
    CHECK(words.starts_with(got.utf8()));
    CHECK(got.utf8().find("\xEF\xBF\xBD") == std::string::npos);
  }
}

TEST_CASE("audio of eight bytes a millisecond is counted as such", "[P5][rule9]") {
  Stream stream({opened("sess_1", 8), AudioDelta{"a1", 0, 1600}});
  CHECK(stream.transcript.audio_sent_ms("a1", 0) == 200);
  stream.then({SessionConfigured{true, 48}, AudioDelta{"a1", 0, 4800}});
  CHECK(stream.transcript.audio_sent_ms("a1", 0) == 300);
  CHECK(stream.transcript.audio_sent_ms("a1", 1) == 0);
}

TEST_CASE("audio alone makes no turn and touches none", "[P7][rule9]") {
  Stream stream;
  CHECK(stream.apply(audio_ms("a1", 100)).touched.empty());
  CHECK(stream.end().turns.empty());
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

// ---- rule 11, times, requests, connections --------------------------------------------------

TEST_CASE("what names an item that nobody knows changes nothing", "[rule11]") {
  Stream stream;
  CHECK(stream.apply(ItemDeleted{"x"}).touched.empty());
  CHECK(stream.apply(truncated("x", 100)).touched.empty());
  CHECK(stream.end().turns.empty());
}

TEST_CASE("text of the model cannot change what a user said, nor the other way", "[rule11]") {
  Stream stream({added(typed("u1", "Mine")), says("u1", "no"), said("u1", "no")});
  stream.then({said("a1", "Yours"), heard("a1", "no")});
  CHECK(stream.glance() == "user Mine | assistant Yours");
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
  CHECK(by_id.transcript.gaps().empty());  // only the end tells
  CHECK(by_id.end().gaps == std::vector<Gap>{{"u1", GapKind::unacknowledged_item}});

  Stream in_order({ItemRequested{"", typed("", "One")}, ItemRequested{"", typed("", "Two")},
                   added(typed("item_1", "One"))});
  const auto last = in_order.end();
  CHECK(last.gaps == std::vector<Gap>{{"", GapKind::unacknowledged_item}});
  CHECK_FALSE(last.complete);
}

TEST_CASE("what the server makes itself does not answer a client's request", "[P13][requests]") {
  Stream stream({ItemRequested{"", typed("", "Mine")}, committed("u1"), heard("u1", "Spoken"),
                 added(message("u1", Role::user, {Part{0, {}, true}}))});
  CHECK(stream.end().gaps == std::vector<Gap>{{"", GapKind::unacknowledged_item}});
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

TEST_CASE("applied tells exactly the items whose turn changed", "[touched]") {
  Stream stream;
  CHECK(stream.apply(opened()).touched.empty());
  CHECK(stream.apply(SpeechStarted{"u1", 0}).touched.empty());
  CHECK(stream.apply(hears("u1", "Hi")).touched == Ids{"u1"});
  CHECK(stream.apply(hears("u1", "")).touched.empty());
  CHECK(stream.apply(started("resp_1")).touched.empty());
  CHECK(stream.apply(says("a1", "A")).touched == Ids{"a1"});
  CHECK(stream.apply(says("a2", "B")).touched == Ids{"a2"});
  CHECK(stream.apply(ended("resp_1", ResponseStatus::failed)).touched == Ids{"a1", "a2"});
  CHECK(stream.apply(ended("resp_1", ResponseStatus::failed)).touched.empty());
  CHECK(stream.apply(opened("sess_2")).touched == Ids{"u1"});
}

TEST_CASE("after the end nothing changes any more", "[P2]") {
  Stream stream(begun_answer());
  stream.then({says("a1", "Hi")});
  stream.end();
  const auto before = stream.transcript.turns();
  CHECK(stream.apply(says("a1", " more")).touched.empty());
  stream.end();
  CHECK(stream.transcript.turns() == before);
}

TEST_CASE("usage is kept once for each response", "[usage]") {
  Stream stream({ResponseEnded{"resp_1", false, ResponseStatus::completed, "", {}, R"({"a":1})"},
                 ResponseEnded{"resp_1", false, ResponseStatus::completed, "", {}, R"({"a":1})"},
                 ResponseEnded{"resp_2", true, ResponseStatus::completed, "", {}, R"({"b":2})"}});
  CHECK(stream.end().usage_json == R"([{"a":1},{"b":2}])");
}

TEST_CASE("no turn is left in progress, whatever came after a reconnect", "[P2][connections]") {
  // Found by fuzzing: an item settled with its old connection, and named by the new one as an
  // answer, was open again.
  Stream stream({added(message("a1", Role::unknown)), opened("sess_2"), says("a1", "Hel")});
  for (const Turn& turn : stream.end().turns) CHECK(turn.status != TurnStatus::in_progress);
}
