// A transcript whose older items are in a spill equals one that is all in memory.
#include <algorithm>
#include <catch2/catch.hpp>
#include <optional>

#include "session/protocol/openai/event_reader.hpp"
#include "session/protocol/recording.hpp"
#include "tests/session/files.hpp"
#include "tests/session/generated.hpp"
#include "tests/session/transcript/stream.hpp"
#include "tests/support/memory_spill.hpp"
#include "tests/support/rounds.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

/// Applies the same events to two transcripts, one of which keeps only `in_memory` items.
class Twins {
 public:
  explicit Twins(std::size_t in_memory) {
    small_.spill_to(std::make_unique<MemorySpill>(control), in_memory);
  }

  void apply(Event event) {
    if (auto* cut = std::get_if<ItemTruncated>(&event.body)) {
      REQUIRE(small_.audio_sent_ms(cut->item_id, cut->content_index) ==
              large_.audio_sent_ms(cut->item_id, cut->content_index));
    }
    auto one = large_.apply(event, ++now_);
    auto other = small_.apply(event, now_);
    std::sort(one.changed.begin(), one.changed.end());
    std::sort(other.changed.begin(), other.changed.end());
    REQUIRE(other.repeat == one.repeat);
    REQUIRE(other.changed == one.changed);
  }

  void compare() const {
    const auto turns = large_.turns();
    REQUIRE(small_.turns() == turns);
    REQUIRE(small_.gaps() == large_.gaps());
    REQUIRE(small_.contents().tool_calls == large_.contents().tool_calls);
    REQUIRE(small_.chain() == large_.chain());
    REQUIRE(small_.usage() == large_.usage());
    REQUIRE(small_.used() == large_.used());
    REQUIRE(small_.awaiting_transcription() == large_.awaiting_transcription());
    REQUIRE(small_.awaiting_answer() == large_.awaiting_answer());
    REQUIRE(small_.is_answering() == large_.is_answering());
    for (const Turn& turn : turns) REQUIRE(small_.numbered_turn(turn.item_id) == turn);
    for (const std::string& id : large_.chain()) {
      REQUIRE(small_.item(id) == large_.item(id));
      REQUIRE(small_.is_settled(id) == large_.is_settled(id));
      REQUIRE(small_.audio_sent_ms(id, 0) == large_.audio_sent_ms(id, 0));
    }
  }

  void finish() {
    const auto one = finalise(large_, ++now_);
    const auto other = finalise(small_, now_);
    REQUIRE(other.turns == one.turns);
    REQUIRE(other.gaps == one.gaps);
    REQUIRE(other.complete == one.complete);
    REQUIRE(other.usage_json == one.usage_json);
  }

  std::shared_ptr<MemorySpill::Control> control = std::make_shared<MemorySpill::Control>();

 private:
  Transcript large_;
  Transcript small_;
  TimeMs now_ = 0;
};

/// As `generated`, with events about audio and usage; rarely at the front, which would bring back
/// everything.
EventBody event_of(Random& random) {
  const auto id = [&random] { return "item_" + std::to_string(random.below(12)); };
  switch (random.below(16)) {
    case 0:
      return audio_ms(id(), 20, static_cast<int>(random.below(2)));
    case 1:
      return TranscriptionUsage{id(), 0, R"({"type":"tokens","total_tokens":3})"};
    case 2: {
      ResponseEnded over;
      over.response_id = "resp_" + std::to_string(random.below(6));
      over.status = ResponseStatus::completed;
      over.usage = R"({"total_tokens":5})";
      if (random.below(2) == 0) over.output.push_back(typed(id(), "done", Role::assistant));
      return over;
    }
    case 3:
      return AudioMetered{static_cast<std::int64_t>(random.below(1000)), 0};
    default:
      break;
  }
  EventBody made = generated(random, 12, 6);
  auto* const placed = std::get_if<ItemPlaced>(&made);
  if (placed && placed->place == Position::front && random.below(30) != 0)
    placed->place = Position::end;
  return made;
}

/// A question and its answer, as a provider sends them; `n` makes their ids.
std::vector<EventBody> exchange(int n) {
  const std::string number = std::to_string(n);
  const std::string asked = "u" + number;
  const std::string answered = "a" + number;
  const std::string response = "r" + number;
  const std::string before = "a" + std::to_string(n - 1);
  ResponseEnded over;
  over.response_id = response;
  over.status = ResponseStatus::completed;
  over.usage = R"({"total_tokens":7})";
  return {SpeechStarted{asked, 0},
          committed(asked, n == 0 ? "" : before),
          heard(asked, "question " + number),
          started(response),
          output(response, message(answered, Role::assistant, {}, ItemStatus::in_progress)),
          added(message(answered, Role::assistant, {}, ItemStatus::in_progress), asked),
          says(answered, "answer", 0, response),
          audio_ms(answered, 500),
          said(answered, "answer " + number, 0, response),
          output(response, message(answered, Role::assistant), true),
          over};
}

}  // namespace

TEST_CASE("any events leave the same transcript, however much of it is in memory",
          "[P3][P11][property][spill]") {
  std::size_t reads = 0;
  for (std::uint64_t seed = 0; seed < verbatim::test::rounds(1500); ++seed) {
    INFO("seed " << seed);
    Random random(seed);
    Twins twins(1 + random.below(4));
    const bool refuses = random.below(4) == 0;
    Random mood(seed + 1);
    twins.control->refuses = [&] { return refuses && mood.below(3) == 0; };
    for (std::size_t n = random.below(120); n > 0; --n) {
      twins.apply({{}, event_of(random)});
      if (random.below(4) == 0) twins.compare();
    }
    twins.compare();
    twins.finish();
    twins.compare();
    reads += twins.control->reads;
  }
  REQUIRE(reads > verbatim::test::rounds(100'000));  // not everything was in memory
}

TEST_CASE("recordings leave the same transcript when one item is in memory", "[P3][spill]") {
  for (const auto& file : recordings()) {
    INFO(file.stem().string());
    Twins twins(1);
    for (const auto& recorded : read_recording(read_file(file)).events) {
      auto event = recorded.direction == Direction::to_client ? read_server_event(recorded.event)
                                                              : read_client_event(recorded.event);
      if (!event) continue;
      twins.apply(*event);
      twins.compare();
    }
    twins.finish();
  }
}

TEST_CASE("a conversation goes out as it goes on, each exchange once", "[P11][P12][spill]") {
  Twins twins(4);
  twins.apply({{}, opened()});
  for (int n = 0; n < 500; ++n)
    for (EventBody& body : exchange(n)) twins.apply({{}, std::move(body)});
  // A question, an answer with its response; and the usage of eight responses at a time.
  CHECK(twins.control->records.size() == 2 * 498 + 500 / 8);
  const std::size_t longest =
      std::max_element(twins.control->records.begin(), twins.control->records.end(),
                       [](const std::string& one, const std::string& other) {
                         return one.size() < other.size();
                       })
          ->size();
  CHECK(longest < 600);
  CHECK(twins.control->reads == 0);  // new events need no old items
  twins.compare();
  twins.finish();
}

TEST_CASE("typed texts as large as a client may send go out however few there are",
          "[P11][spill]") {
  Twins twins(16);
  twins.apply({{}, opened()});
  const auto typed = [](int n, std::size_t size) {
    return added(message("typed_" + std::to_string(n), Role::user,
                         {Part{0, Text::from_wtf8(std::string(size, 'w'))}}),
                 n == 0 ? "" : "typed_" + std::to_string(n - 1));
  };
  for (int n = 0; n < 8; ++n) twins.apply({{}, typed(n, 100 * 1024)});
  CHECK(twins.control->records.empty());  // few and not large
  for (int n = 8; n < 14; ++n) twins.apply({{}, typed(n, 16 * 1024 * 1024)});
  CHECK(twins.control->records.size() == 13);  // all but the newest
  twins.compare();
  twins.finish();
}

TEST_CASE("old turns can still be deleted, truncated and repeated", "[P4][spill]") {
  Twins twins(4);
  twins.apply({{}, opened()});
  for (int n = 0; n < 50; ++n) {
    for (EventBody& body : exchange(n)) twins.apply({{}, std::move(body)});
    if (n < 10) continue;
    twins.apply({{}, ItemDeleted{"u" + std::to_string(n - 10)}});
    twins.apply({{}, truncated("a" + std::to_string(n - 9), 100)});
    twins.apply({{}, ItemSnapshot{typed("u" + std::to_string(n - 8), "sent again"), true}});
    twins.apply({{}, ended("r" + std::to_string(n - 7), ResponseStatus::cancelled)});
    twins.compare();
  }
  twins.apply({{}, UpstreamLost{"upstream_lost"}});
  twins.compare();
  twins.apply({{}, added(typed("between", "between"), "a5")});
  twins.compare();
  for (EventBody& body : exchange(50)) twins.apply({{}, std::move(body)});
  twins.compare();
  twins.finish();
}

TEST_CASE(
    "speech that is never transcribed is closed with its connection, in memory or in the spill",
    "[P13][spill]") {
  Twins twins(2);
  twins.apply({{}, opened()});
  for (int n = 0; n < 20; ++n)
    twins.apply(
        {{}, committed("u" + std::to_string(n), n == 0 ? "" : "u" + std::to_string(n - 1))});
  twins.compare();
  REQUIRE(twins.control->records.size() == 18);
  twins.apply({{}, UpstreamLost{"upstream_lost"}});
  twins.compare();
  twins.apply({{}, heard("u3", "late")});
  twins.compare();
  twins.finish();
}

TEST_CASE("a spill that takes nothing leaves everything in memory", "[P11][spill]") {
  Twins twins(2);
  twins.control->refuses = [] { return true; };
  for (int n = 0; n < 100; ++n)
    for (EventBody& body : exchange(n)) twins.apply({{}, std::move(body)});
  twins.compare();
  twins.control->refuses = [] { return false; };
  for (int n = 100; n < 200; ++n)
    for (EventBody& body : exchange(n)) twins.apply({{}, std::move(body)});
  CHECK(twins.control->records.size() > 300);
  twins.compare();
  twins.finish();
}

TEST_CASE("a failing spill throws, and items in memory can still be read", "[P11][spill]") {
  const auto control = std::make_shared<MemorySpill::Control>();
  Transcript transcript;
  transcript.spill_to(std::make_unique<MemorySpill>(control), 4);
  for (int n = 0; n < 10; ++n)
    for (EventBody& body : exchange(n)) transcript.apply({{}, std::move(body)}, 0);
  control->fails = true;
  CHECK(transcript.turn("a9")->text.utf8() == "answer 9");
  CHECK_THROWS_AS(transcript.turn("a0"), SpillError);
  CHECK_THROWS_AS(transcript.turns(), SpillError);
  CHECK_THROWS_AS(transcript.apply({{}, ItemDeleted{"a0"}}, 0), SpillError);
  control->fails = false;
  CHECK(transcript.turns().size() == 20);
}
