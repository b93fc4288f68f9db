// The wall clock is set back and forth; the text does not change.
#include <catch2/catch.hpp>

#include "session/transcript/merge/merge.hpp"
#include "tests/session/generated.hpp"
#include "tests/session/transcript/stream.hpp"

using namespace verbatim;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

/// A clock that is set by hand: it ticks, and jumps by up to an hour either way.
TimeMs jump(Random& random, TimeMs now) {
  const auto far = static_cast<TimeMs>(random.below(3'600'000));
  switch (random.below(4)) {
    case 0:
      return std::max<TimeMs>(0, now - far);
    case 1:
      return now + far;
    default:
      return now + 1;
  }
}

template <class Timed>
void require_forward(const Timed& timed, TimeMs from, TimeMs to) {
  if (timed.started_at) REQUIRE(*timed.started_at >= from);
  if (timed.started_at && timed.ended_at) REQUIRE(*timed.ended_at >= *timed.started_at);
  if (timed.ended_at) REQUIRE(*timed.ended_at <= to);
}

}  // namespace

TEST_CASE("a clock that is set back stops the conversation's times, and they never run backwards",
          "[P2][times]") {
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    INFO("seed " << seed);
    Random random(seed);
    Transcript transcript;
    const TimeMs began = 5'000'000;
    transcript.not_before(began);
    TimeMs clock = began;
    TimeMs latest = began;
    for (int i = 0; i < 60; ++i) {
      clock = jump(random, clock);
      transcript.apply({{}, generated(random)}, clock);
      REQUIRE(transcript.latest() >= latest);
      latest = transcript.latest();
    }
    clock = jump(random, clock);
    const auto last = finalise(transcript, clock);
    const TimeMs end = transcript.latest();
    REQUIRE(end >= clock);
    for (const Turn& turn : last.turns) require_forward(turn, began, end);
    for (const ToolCall& call : last.tool_calls) require_forward(call, began, end);
  }
}

TEST_CASE("a recovery gives the same times as the live session, even if the clock was set back",
          "[P7][times]") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    INFO("seed " << seed);
    Random random(seed);
    Transcript live;
    Transcript recovered;
    for (Transcript* one : {&live, &recovered}) one->not_before(1'000'000);
    TimeMs clock = 1'000'000;
    for (int i = 0; i < 60; ++i) {
      clock = jump(random, clock);
      // Audio is not journaled, so it must not change any time.
      live.apply({{}, AudioDelta{"item_1", 0, 4800}}, clock + 7'000'000);
      Event event{{}, generated(random)};
      if (auto* cut = std::get_if<ItemTruncated>(&event.body)) cut->audio_sent_ms = 100;
      live.apply(event, clock);
      recovered.apply(event, clock);
    }
    REQUIRE(finalise(live, clock).turns == finalise(recovered, clock).turns);
    REQUIRE(live.latest() == recovered.latest());
  }
}

TEST_CASE("a turn's beginning is never later than its end, even if no event announced it",
          "[times]") {
  Stream stream;
  stream.then({SpeechStopped{"u1", 900}, committed("u1"), heard("u1", "Hello.")});
  const Turn turn = stream.turn("u1");
  REQUIRE(turn.started_at);
  REQUIRE(turn.ended_at);
  CHECK(*turn.started_at <= *turn.ended_at);
}

TEST_CASE("a merged turn ends no earlier than it began, with times of any writer", "[P3][times]") {
  FinalTranscript relay;
  Turn heard;
  heard.ordinal = 1;
  heard.item_id = "item_1";
  heard.role = Role::user;
  heard.status = TurnStatus::completed;
  heard.text = text("Hello there.");
  heard.started_at = 5000;
  relay.turns = {heard};
  CopyTurn same;
  same.item_id = "item_1";
  same.role = Role::user;
  same.text = heard.text;
  same.ended_at = 2000;  // by another clock
  CopyTurn other = same;
  other.item_id = "item_2";
  other.text = text("Mixed up.");
  other.started_at = 900;
  other.ended_at = 800;
  const auto merged = merge(relay, {{"agent", {same, other}}});
  REQUIRE(merged.turns.size() == 2);
  for (const MergedTurn& turn : merged.turns) {
    REQUIRE(turn.ended_at);
    CHECK(*turn.ended_at >= *turn.started_at);
  }
}
