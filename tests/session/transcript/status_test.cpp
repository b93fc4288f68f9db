// Rules 7 to 9 of docs/transcript-rules.md: status, missing text, and heard text.
#include <catch2/catch.hpp>

#include "tests/session/transcript/stream.hpp"

using namespace verbatim;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

// ---- rule 7: an answer's status -------------------------------------------------------------

TEST_CASE("an answer is in progress until its item or its response ends", "[rule7]") {
  Stream stream(begun_answer());
  stream.then({says("a1", "Hi"), said("a1", "Hi")});
  CHECK(stream.turn("a1").status == TurnStatus::in_progress);
  CHECK(stream.apply(output("resp_1", message("a1", Role::assistant), true)).changed == Ids{"a1"});
  CHECK(stream.turn("a1").status == TurnStatus::completed);
}

TEST_CASE("the response's end decides for an item that is not complete", "[P5][rule7]") {
  const auto [reported, status] = GENERATE(table<ResponseStatus, TurnStatus>({
      {ResponseStatus::cancelled, TurnStatus::cancelled},
      {ResponseStatus::failed, TurnStatus::failed},
      {ResponseStatus::incomplete, TurnStatus::interrupted},
  }));
  Stream stream(begun_answer());
  stream.then({says("a1", "Hel")});
  CHECK(stream.apply(ended("resp_1", reported, "why")).changed == Ids{"a1"});
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
  CHECK(stream.apply(heard("u1", "What?")).changed == Ids{"u1"});
  CHECK(stream.turn("u1").status == TurnStatus::completed);
}

TEST_CASE("speech whose transcription failed keeps its slot and its words, with the reason",
          "[P13][rule8]") {
  Stream stream(spoken_question());
  stream.then({hears("u1", "Wha"), TranscriptionFailed{"u1", 0, "audio_unintelligible"}});
  CHECK(stream.turn("u1").status == TurnStatus::failed);
  CHECK(stream.turn("u1").reason == "audio_unintelligible");
  CHECK(stream.turn("u1").text == text("Wha"));
  CHECK(stream.transcript.gaps() == std::vector<Gap>{{"u1", GapKind::failed_transcription}});
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
  CHECK(last.gaps == std::vector<Gap>{{"u1", GapKind::failed_transcription}});
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

TEST_CASE("speech whose audio was cleared leaves no gap", "[P13][rule8]") {
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
  CHECK(stream.apply(truncated("a1", 300, 800)).changed == Ids{"a1"});
  CHECK(stream.turn("a1").status == TurnStatus::truncated);
  CHECK(stream.turn("a1").heard->text == text("Honey"));
}

TEST_CASE("all audio played means all text heard", "[P5][rule9]") {
  Stream stream(begun_answer());
  stream.then({said("a1", "Hello there."), truncated("a1", 600, 600)});
  CHECK(stream.turn("a1").heard->text == text("Hello there."));
}

TEST_CASE("without a known amount of audio the heard part is unknown", "[P5][rule9]") {
  Stream stream(begun_answer());
  stream.then({said("a1", "Hello there."), truncated("a1", 600)});
  CHECK(stream.turn("a1").heard->audio_ms == 600);
  CHECK_FALSE(stream.turn("a1").heard->text);
}

TEST_CASE("of nothing that was played nothing was heard, however long the audio was",
          "[P5][rule9]") {
  const std::int64_t sent_ms = GENERATE(-1, 0, 800);
  Stream stream(begun_answer());
  stream.then({said("a1", "Hello there."), truncated("a1", 0, sent_ms)});
  CHECK(stream.turn("a1").heard->text == text(""));
}

TEST_CASE("the audio count of an earlier process gives the heard part", "[P5][P7][rule9]") {
  Stream stream(begun_answer());
  stream.then({said("a1", "One two three four"), AnswerAudio{"a1", 1000}, truncated("a1", 500)});
  CHECK(stream.turn("a1").heard->text == text("One two"));
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
    const auto got = stream.turn("a1").heard->text.value();
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
  CHECK(stream.apply(audio_ms("a1", 100)).changed.empty());
  CHECK(stream.end().turns.empty());
}
