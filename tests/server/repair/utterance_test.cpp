// The utterances that are transcribed again, and the audio that is sent of them.
#include "server/repair/utterance.hpp"
#include "tests/server/recording/support.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace verbatim;
using namespace verbatim::repair;
using namespace verbatim::transcript;
using test::pcm8;
using test::pcm8_bytes;

namespace {

AudioPlaced speech(const char* item, std::int64_t from_ms, std::int64_t ms) {
  return {AudioTrack::user, item, pcm8_bytes(from_ms), pcm8_bytes(ms), -1, pcm8};
}

MergedTurn turn(const char* item, TurnStatus status, const char* words = "",
                Role role = Role::user) {
  MergedTurn made;
  made.item_id = item;
  made.role = role;
  made.status = status;
  made.text = Text::from_wtf8(words);
  made.writers = {"relay"};
  return made;
}

/// A conversation whose turns each have a second of speech.
struct Conversation {
  TranscriptView view;
  Runs runs{{AudioTrack::user, {}, 0, -1, 0, pcm8}};

  void add(MergedTurn one, std::int64_t ms = 1000, bool gap = false) {
    one.ordinal = static_cast<int>(view.turns.size()) + 1;
    if (gap) view.gaps.push_back({one.item_id, GapKind::failed_transcription});
    if (ms > 0)
      runs.push_back(
          speech(one.item_id.c_str(), 2000 * static_cast<std::int64_t>(runs.size()), ms));
    view.turns.push_back(std::move(one));
  }
  std::vector<std::string> chosen(bool again = false) const {
    std::vector<std::string> items;
    for (const Utterance& one : choose_utterances(view, runs, again)) items.push_back(one.item_id);
    return items;
  }
};
using Items = std::vector<std::string>;

std::string file_of(const relay::AudioTimeline& timeline, const std::string& user) {
  const auto read = [&](AudioTrack track, std::int64_t from, std::size_t count) {
    REQUIRE(track == AudioTrack::user);
    return user.substr(static_cast<std::size_t>(from), count);
  };
  return timeline.read(0, static_cast<std::size_t>(timeline.bytes()), read).value();
}

std::string constant(std::int64_t samples, int value) {
  std::string made;
  for (std::int64_t i = 0; i < samples; ++i) {
    made.push_back(static_cast<char>(value & 0xFF));
    made.push_back(static_cast<char>(value >> 8));
  }
  return made;
}

bool has_sound(const std::string& samples) {
  SoundDetector detector(8000);
  // In pieces, of which none is a whole window.
  for (std::size_t at = 0; at < samples.size(); at += 100) detector.add(samples.substr(at, 100));
  return detector.found();
}

}  // namespace

TEST_CASE("a turn is repaired if its transcription failed or never came", "[P15][repair]") {
  Conversation it;
  it.add(turn("failed", TurnStatus::failed), 1000, true);
  it.add(turn("heard", TurnStatus::completed, "Hello"));
  it.add(turn("cut", TurnStatus::interrupted, "Half of"), 1000, true);
  it.add(turn("answer", TurnStatus::failed, "", Role::assistant), 1000, true);
  it.add(turn("typed", TurnStatus::failed), 0, true);  // no audio
  it.view.gaps.push_back({"uncommitted", GapKind::uncommitted_speech});
  CHECK(it.chosen() == Items{"failed", "cut"});
}

TEST_CASE("an empty transcription is repaired if more than 400 ms of speech were recorded",
          "[P15][repair]") {
  Conversation it;
  it.add(turn("noise", TurnStatus::completed), speech_min_ms);
  it.add(turn("words", TurnStatus::completed), speech_min_ms + 1);
  it.add(turn("blank", TurnStatus::completed, " \n"));
  CHECK(it.chosen() == Items{"words", "blank"});
}

TEST_CASE("a failed transcription of short speech is repaired too", "[P15][repair]") {
  Conversation it;
  it.add(turn("yes", TurnStatus::failed), 150, true);
  CHECK(it.chosen() == Items{"yes"});
  CHECK(choose_utterances(it.view, it.runs, false).front() == Utterance{"yes", 1, 150, 0});
}

TEST_CASE("a turn that another writer has filled needs no repair", "[P15][repair]") {
  Conversation it;
  it.add(turn("filled", TurnStatus::completed, "By the agent"));
  CHECK(it.chosen().empty());
}

TEST_CASE("a repair that the merge did not choose is not made again, unless it is asked for",
          "[P15][repair]") {
  Conversation it;
  it.add(turn("cut", TurnStatus::interrupted, "More words than the engine heard"), 1000, true);
  it.view.turns.back().writers = {"relay", repair_writer};
  CHECK(it.chosen().empty());
  CHECK(it.chosen(true) == Items{"cut"});
}

TEST_CASE("an utterance is sent with 200 ms before and after it", "[P15][repair]") {
  const std::string user = constant(8 * 3000, 7);
  const Runs runs{{AudioTrack::user, {}, 0, -1, 500, pcm8}, speech("u", 1000, 500)};
  const auto timeline = cut_utterance(runs, static_cast<std::int64_t>(user.size()), "u");
  REQUIRE(timeline);
  CHECK(timeline->starts_at_ms() == 500 + 1000 - margin_ms);
  CHECK(timeline->frames() == (500 + 2 * margin_ms) * 8);
  CHECK(timeline->channels() == 1);
  CHECK(file_of(*timeline, user).substr(44) == user.substr(0, pcm8_bytes(500 + 2 * margin_ms)));
}

TEST_CASE("a margin ends with the audio and where another utterance begins", "[P15][repair]") {
  const std::string user = constant(8 * 1200, 7);
  const Runs runs{{AudioTrack::user, {}, 0, -1, 0, pcm8},
                  speech("a", 50, 450),
                  speech("b", 500, 500),
                  speech("c", 1100, 50)};
  const auto size = static_cast<std::int64_t>(user.size());
  const auto cut = [&](const char* item) {
    const auto timeline = cut_utterance(runs, size, item);
    REQUIRE(timeline);
    const std::int64_t begin = timeline->starts_at_ms();
    return std::pair(begin, begin + static_cast<std::int64_t>(timeline->frames()) / 8);
  };
  CHECK(cut("a") == std::pair<std::int64_t, std::int64_t>(0, 500));
  CHECK(cut("b") == std::pair<std::int64_t, std::int64_t>(500, 1100));
  CHECK(cut("c") == std::pair<std::int64_t, std::int64_t>(1000, 1200));
  CHECK_FALSE(cut_utterance(runs, size, "unknown"));
}

TEST_CASE("a pause in the client's audio is silence in the utterance", "[P15][repair]") {
  const std::string user = constant(8 * 200, 7);
  const Runs runs{{AudioTrack::user, {}, 0, -1, 0, pcm8},
                  {AudioTrack::user, {}, pcm8_bytes(100), -1, 300, pcm8},
                  speech("u", 0, 200)};
  const auto timeline = cut_utterance(runs, static_cast<std::int64_t>(user.size()), "u");
  REQUIRE(timeline);
  CHECK(file_of(*timeline, user).substr(44) ==
        user.substr(0, pcm8_bytes(100)) + constant(8 * 200, 0) + user.substr(0, pcm8_bytes(100)));
}

TEST_CASE("G.711 is sent as 16-bit samples at its own rate", "[P15][repair]") {
  const std::string user(8 * 600, '\x80');
  const AudioFormat pcmu{AudioEncoding::pcmu, 8000};
  const Runs runs{{AudioTrack::user, {}, 0, -1, 0, pcmu},
                  {AudioTrack::user, "u", 8 * 300, 8 * 100, -1, pcmu},
                  {AudioTrack::assistant, "a", 0, -1, 0, {AudioEncoding::pcm16, 24000}}};
  const auto timeline = cut_utterance(runs, static_cast<std::int64_t>(user.size()), "u");
  REQUIRE(timeline);
  CHECK(timeline->rate() == 8000);
  CHECK(file_of(*timeline, user).substr(44) == constant(8 * 500, 32124));
}

TEST_CASE("silence and a single click do not count as sound, quiet speech does", "[P15][repair]") {
  CHECK_FALSE(has_sound(constant(8000, 0)));
  CHECK_FALSE(has_sound(constant(8000, 40)));
  CHECK_FALSE(has_sound(constant(4000, 0) + constant(1, 500) + constant(4000, 0)));
  CHECK(has_sound(constant(4000, 0) + constant(400, 100) + constant(4000, 0)));
  CHECK(has_sound(constant(8000, -100)));
}
