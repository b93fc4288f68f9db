// Which turn a text belongs to when a server or gateway names items in its own way or not at all,
// and texts that belong to no turn.
#include <catch2/catch.hpp>

#include "tests/session/transcript/stream.hpp"

using namespace verbatim;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

EventBody piece(std::string id, std::string words, std::string response, int output_index,
                int part = 0) {
  return TextDelta{std::move(id), std::move(response),    part,
                   false,         text(std::move(words)), output_index};
}
EventBody whole_text(std::string id, std::string words, std::string response, int output_index,
                     int part = 0) {
  return TextDone{std::move(id), std::move(response),    part,
                  false,         text(std::move(words)), output_index};
}
EventBody announced(std::string response, std::string id, int output_index) {
  return OutputItem{std::move(response),
                    message(std::move(id), Role::assistant, {}, ItemStatus::in_progress), false,
                    output_index};
}
EventBody reported(std::string response, std::string id, std::string words, int output_index) {
  return OutputItem{std::move(response), typed(std::move(id), std::move(words), Role::assistant),
                    true, output_index};
}

}  // namespace

TEST_CASE("text is one turn even if each of its events has another item id", "[P4][owner]") {
  // A gateway encrypts the item's id again for each event.
  Stream stream({added(typed("u1", "Go.")), started("r1"), announced("r1", "A1", 0),
                 added(message("A2", Role::assistant, {}, ItemStatus::in_progress), "zzz"),
                 piece("A3", "One ", "r1", 0), piece("A4", "two ", "r1", 0),
                 piece("A5", "two.", "r1", 0), whole_text("A6", "One two two.", "r1", 0),
                 PartSnapshot{"A7", "r1", 0, text("One two two."), 0},
                 reported("r1", "A8", "One two two.", 0)});
  CHECK(stream.glance() == "user Go. | assistant One two two.");
  stream.then({item_done(typed("A9", "One two two.", Role::assistant))});
  ResponseEnded over{"r1", false, ResponseStatus::completed, {}, {}, {}};
  over.output.push_back(typed("A10", "One two two.", Role::assistant));
  stream.then({over, added(typed("u2", "Thanks."), "A11")});
  CHECK(stream.glance() == "user Go. | assistant One two two. | user Thanks.");
  CHECK(stream.end().complete);
}

TEST_CASE("several items and parts of one response stay apart by their indexes", "[P4][owner]") {
  Stream stream({started("r1"), piece("x1", "One", "r1", 0), piece("x2", "Two", "r1", 1),
                 piece("x3", "!", "r1", 0), piece("x4", "and more", "r1", 1, 1),
                 whole_text("x5", "One!", "r1", 0), whole_text("x6", "Two", "r1", 1),
                 whole_text("x7", "and more", "r1", 1, 1), ended("r1", ResponseStatus::completed)});
  CHECK(stream.glance() == "assistant One! | assistant Two\nand more");
}

TEST_CASE("text after the end of a part, under a new id, is another item", "[P13][owner]") {
  // A server that does not count items: every index is 0.
  Stream stream({started("r1"), piece("a1", "One", "r1", 0), whole_text("a1", "One.", "r1", 0),
                 piece("a2", "Two", "r1", 0), whole_text("a2", "Two.", "r1", 0),
                 ended("r1", ResponseStatus::completed)});
  CHECK(stream.glance() == "assistant One. | assistant Two.");
}

TEST_CASE("an announced item is identified by its id, even if it shares an index", "[P4][owner]") {
  Stream stream({started("r1"), announced("r1", "a1", 0), announced("r1", "a2", 0),
                 piece("a1", "One", "r1", 0), piece("a2", "Two", "r1", 0),
                 whole_text("a2", "Two.", "r1", 0), whole_text("a1", "One.", "r1", 0)});
  CHECK(stream.glance() == "assistant One. | assistant Two.");
}

TEST_CASE("text without an item's id belongs to its response's item", "[P13][owner]") {
  Stream stream({started("r1"), announced("r1", "a1", 0), piece("", "Good ", "r1", no_output_index),
                 piece("", "day.", "r1", 0), whole_text("", "Good day.", "r1", no_output_index)});
  CHECK(stream.glance() == "assistant Good day.");
  CHECK(stream.turn("a1").text == text("Good day."));
}

TEST_CASE("text without any id is a turn of its own, in its place", "[P4][P13][owner]") {
  for (const std::string response : {"r1", ""}) {
    Stream stream;
    for (const std::string n : {"1", "2", "3"}) {
      stream.then({heard("", "Question " + n + "?"), started("r" + n)});
      const std::string named = response.empty() ? "" : "r" + n;
      stream.then({piece("", "Answer ", named, no_output_index),
                   piece("", n, named, no_output_index),
                   whole_text("", "Answer " + n + ".", named, no_output_index),
                   ended("r" + n, ResponseStatus::completed)});
    }
    CHECK(stream.glance() ==
          "user Question 1? | assistant Answer 1. | user Question 2? | assistant Answer 2. | "
          "user Question 3? | assistant Answer 3.");
    CHECK(stream.end().complete);
  }
}

TEST_CASE("text without response and item goes on until its end", "[P13][owner]") {
  Stream stream({piece("", "One ", "", no_output_index), piece("", "two", "", no_output_index),
                 whole_text("", "One two.", "", no_output_index), heard("", "And?"),
                 piece("", "Three", "", no_output_index)});
  CHECK(stream.glance() == "assistant One two. | user And? | assistant Three");
}

TEST_CASE("a transcription without an item's id is the oldest utterance's that waits",
          "[P4][P13][owner]") {
  Stream stream({committed("u1"), committed("u2", "u1"), hears("", "Fir"), heard("", "First."),
                 hears("", "Sec"), TranscriptionFailed{"", 0, "unintelligible"}});
  CHECK(stream.glance() == "user First. | user Sec");
  CHECK(stream.turn("u2").status == TurnStatus::failed);
}

TEST_CASE("speech that only its transcription names is placed before the answer to it",
          "[P4][owner]") {
  Stream stream({heard("u1", "Good morning."), started("r1"), says("a1", "Good day.", 0, "r1"),
                 said("a1", "Good day.", 0, "r1"), ended("r1", ResponseStatus::completed)});
  CHECK(stream.glance() == "user Good morning. | assistant Good day.");
}

TEST_CASE("audio under other ids counts for the item that it belongs to", "[P5][owner]") {
  Stream stream({opened(), started("r1"), announced("r1", "a1", 0)});
  for (int i = 0; i < 10; ++i) stream.apply(AudioDelta{"x" + std::to_string(i), 0, 480, "r1", 0});
  CHECK(stream.transcript.audio_sent_ms("a1", 0) == 100);
}

TEST_CASE("audio without ids, or under other ids, is its answer's length", "[owner][captions]") {
  for (const std::string id : {"", "x"}) {
    for (const std::string response : {"r1", ""}) {
      if (!id.empty() && response.empty()) continue;
      for (const bool words_first : {true, false}) {
        INFO(id << '/' << response << '/' << words_first);
        Stream stream({opened(), started("r1")});
        const auto speak = [&] {
          for (int i = 0; i < 4; ++i)
            stream.apply(AudioDelta{id.empty() ? id : id + std::to_string(i), 0, 48'000, response,
                                    id.empty() ? no_output_index : 0});
        };
        if (!words_first) speak();
        stream.then({announced("r1", "a1", 0), piece("a1", "one two three four", "r1", 0)});
        if (words_first) speak();
        stream.then({whole_text("a1", "one two three four", "r1", 0)});
        const auto unrecorded = stream.transcript.unrecorded_audio();
        CHECK(unrecorded == std::vector<AnswerAudio>{{"a1", 4000}});
        stream.then({unrecorded.at(0), ended("r1", ResponseStatus::completed)});
        CHECK(stream.turn("a1").audio_ms == 4000);
        stream.apply(truncated("a1", 2000));
        CHECK(stream.turn("a1").heard->text == text("one two"));
      }
    }
  }
}

TEST_CASE("audio that comes before any item of its response is the answer's with its index",
          "[owner][captions]") {
  Stream stream({opened(), started("r1"), AudioDelta{"", 0, 4800, "r1", 1},
                 AudioDelta{"", 0, 9600, "r1", 0}, AudioDelta{"", 0, 4800, "r1", 0},
                 announced("r1", "a1", 0), announced("r1", "a2", 1), piece("a1", "One", "r1", 0),
                 piece("a2", "Two", "r1", 1)});
  CHECK(stream.transcript.audio_sent_ms("a1", 0) == 300);
  CHECK(stream.transcript.audio_sent_ms("a2", 0) == 100);
}

TEST_CASE("audio of a lost connection does not count for a later answer", "[owner][captions]") {
  Stream stream({opened(), started("r1"), AudioDelta{"", 0, 4800, "r1", 0}, UpstreamLost{"lost"},
                 opened("sess_2"), started("r1"), announced("r1", "a1", 0)});
  CHECK(stream.transcript.audio_sent_ms("a1", 0) == 0);
}

TEST_CASE("a server that gives every event one id loses nothing", "[P13][rule3][owner]") {
  Stream stream;
  for (const EventBody& body :
       {opened(), committed("u1"), heard("u1", "Yes yes yes."), started("r1"),
        says("a1", "no", 0, "r1"), says("a1", " no", 0, "r1"), says("a1", " no", 0, "r1")})
    stream.apply(body, "event_0");
  CHECK(stream.glance() == "user Yes yes yes. | assistant no no no");
}

TEST_CASE("a re-emitted event is a repeat although another id was used for it before",
          "[P4][rule3][owner]") {
  Stream stream({opened()});
  stream.apply(says("a1", "yes"), "event_1");
  stream.apply(says("a1", " yes"), "event_2");
  CHECK(stream.apply(says("a1", "yes"), "event_1").repeat);
  CHECK(stream.apply(says("a1", " yes"), "event_2").repeat);
}

// ---- texts that cannot be placed ---------------------------------------------------------------

TEST_CASE("text that belongs to no turn is a gap with its place and a count",
          "[P13][receipt][owner]") {
  Stream stream({TextUnplaced{Unplaced::not_json}, added(typed("u1", "One")),
                 TextUnplaced{Unplaced::not_json}, TextUnplaced{Unplaced::not_text},
                 added(typed("u2", "Two"), "u1")});
  const auto last = stream.end();
  CHECK_FALSE(last.complete);
  CHECK(last.gaps ==
        std::vector<Gap>{{"", GapKind::unplaced_text, 0, 1}, {"", GapKind::unplaced_text, 1, 2}});
}

// ---- typed text ---------------------------------------------------------------------------------

TEST_CASE("typed words that were never acknowledged are a turn and a gap", "[P2][P13][requests]") {
  Stream stream({added(typed("u1", "One")), ItemRequested{"c1", typed("u2", "Two")},
                 ItemRequested{"", typed("", "Three")}});
  CHECK(stream.glance() == "user One");
  const auto last = stream.end();
  CHECK(stream.glance() == "user One | user Two | user Three");
  CHECK_FALSE(last.complete);
  REQUIRE(last.gaps.size() == 2);
  for (std::size_t i = 0; i < last.gaps.size(); ++i) {
    CHECK(last.gaps[i].kind == GapKind::unacknowledged_item);
    CHECK(last.gaps[i].item_id == last.turns[i + 1].item_id);
    CHECK(last.turns[i + 1].status == TurnStatus::interrupted);
    CHECK(last.turns[i + 1].started_at == static_cast<TimeMs>(i + 2));
  }
}

TEST_CASE("a server that acknowledges nothing has its questions before their answers",
          "[P4][P13][requests]") {
  Stream stream;
  for (const std::string n : {"1", "2"}) {
    stream.then({ItemRequested{"", typed("", "Question " + n)},
                 ItemRequested{"", typed("q" + n, "and " + n)}, started("r" + n),
                 says("a" + n, "Answer", 0, "r" + n), said("a" + n, "Answer " + n, 0, "r" + n),
                 ended("r" + n, ResponseStatus::completed)});
  }
  CHECK(stream.end().gaps.size() == 4);
  CHECK(stream.glance() ==
        "user Question 1 | user and 1 | assistant Answer 1 | user Question 2 | user and 2 | "
        "assistant Answer 2");
}

TEST_CASE("a server that chooses its own ids acknowledges items by their text", "[P13][requests]") {
  Stream stream({ItemRequested{"", typed("mine_1", "Yes")},
                 ItemRequested{"", typed("mine_2", "No")}, added(typed("theirs_2", "No")),
                 added(typed("theirs_1", "Yes"), "theirs_2"), ItemDeleted{"mine_1"}});
  CHECK(stream.glance() == "user No | user Yes");
  CHECK(stream.turn("theirs_1").deleted);  // the client knows it by its own id
  CHECK(stream.end().complete);
}

TEST_CASE("an acknowledgement without the words leaves the client's words", "[P13][requests]") {
  for (const std::string id : {"u1", ""}) {
    Stream placed({ItemRequested{"", typed(id, "Hello")}, added(message("u1", Role::user))});
    CHECK(placed.end().complete);
    CHECK(placed.glance() == "user Hello");
    // And one that comes only with the item's end.
    Stream done({ItemRequested{"", typed(id, "Hello")}, item_done(typed("u1", "Hello"))});
    CHECK(done.end().complete);
    CHECK(done.glance() == "user Hello");
  }
}

TEST_CASE("placed speech does not acknowledge typed text", "[P13][requests]") {
  Stream stream({ItemRequested{"", typed("", "Typed")},
                 added(message("u1", Role::user, {Part{0, {}, true}})), heard("u1", "Spoken")});
  const auto last = stream.end();
  CHECK(stream.glance() == "user Typed | user Spoken");
  CHECK_FALSE(last.complete);
}

TEST_CASE("typed words outlive a change of connection until they are acknowledged",
          "[P8][P13][requests]") {
  Stream stream({opened(), added(typed("u1", "One")), ItemRequested{"", typed("", "Two")},
                 UpstreamLost{"upstream_lost"}, opened("sess_2"),
                 added(typed("item_2", "Two"), "u1")});
  CHECK(stream.end().complete);
  CHECK(stream.glance() == "user One | user Two");
}

TEST_CASE("an item without words that was never acknowledged is a gap and no turn",
          "[P13][requests]") {
  Stream stream({ItemRequested{"", message("image", Role::user)}});
  const auto last = stream.end();
  CHECK(last.turns.empty());
  CHECK(last.gaps == std::vector<Gap>{{"image", GapKind::unacknowledged_item}});
}

TEST_CASE("requests without an answer take no more memory than their bound",
          "[P11][P13][requests]") {
  Stream stream;
  stream.transcript = Transcript(TranscriptOptions{1024, 4, 1000});
  for (int i = 0; i < 20; ++i)
    stream.apply(ItemRequested{"", typed("u" + std::to_string(i), std::to_string(i))});
  CHECK(stream.transcript.turns().size() == 16);  // these have their place now
  stream.apply(added(typed("u3", "3")));          // late, and still the same turn
  stream.apply(ItemRequested{"", typed("long", std::string(2000, 'x'))});
  const auto last = stream.end();
  CHECK(last.turns.size() == 21);
  CHECK(last.gaps.size() == 20);
  CHECK(stream.turn("u3").status == TurnStatus::completed);
}

TEST_CASE("how responses ended is counted, with the last reason", "[P13][responses]") {
  Stream stream({started("r1"), ended("r1", ResponseStatus::completed), started("r2"),
                 ended("r2", ResponseStatus::failed, "insufficient_quota"), started("r3"),
                 ended("r3", ResponseStatus::failed, "insufficient_quota"),
                 ended("r3", ResponseStatus::failed, "insufficient_quota")});
  const ResponseCounts counts = stream.transcript.responses();
  CHECK(counts.by_status[static_cast<std::size_t>(ResponseStatus::completed)] == 1);
  CHECK(counts.by_status[static_cast<std::size_t>(ResponseStatus::failed)] == 2);
  CHECK(counts.last_reason == "insufficient_quota");
  CHECK(counts.reason_by_status[static_cast<std::size_t>(ResponseStatus::failed)] ==
        "insufficient_quota");
  CHECK(counts.reason_by_status[static_cast<std::size_t>(ResponseStatus::completed)].empty());
}
