// A WAV file that is computed from two tracks and their index, and each part of it alone.
#include "server/relay/audio_timeline.hpp"
#include "tests/server/recording/support.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <string>
#include <vector>

using namespace verbatim;
using namespace verbatim::relay;
using namespace verbatim::transcript;
using test::pcm8;
using test::pcm8_bytes;

namespace {

/// Samples that count up from `first`.
std::string counted_samples(std::int64_t ms, int first) {
  std::string out;
  for (std::int64_t i = 0; i < ms * 8; ++i) {
    const auto value = static_cast<std::uint16_t>(first + i);
    out.push_back(static_cast<char>(value & 0xFFU));
    out.push_back(static_cast<char>(value >> 8U));
  }
  return out;
}

struct Tracks {
  std::string user;
  std::string assistant;
  AudioTimeline::Runs runs = {};

  std::optional<AudioTimeline> timeline(const AudioExport& wanted = {}) const {
    return AudioTimeline::of(
        runs, {static_cast<std::int64_t>(user.size()), static_cast<std::int64_t>(assistant.size())},
        wanted);
  }
  AudioTimeline::ReadTrack files() const {
    return [this](AudioTrack track, std::int64_t begin, std::size_t size) {
      const std::string& file = track == AudioTrack::user ? user : assistant;
      const auto at = static_cast<std::size_t>(begin);
      return at < file.size() ? file.substr(at, size) : std::string();
    };
  }
  std::string read(const AudioTimeline& of, std::uint64_t from, std::size_t count) const {
    return of.read(from, count, files()).value();
  }
  std::string whole(const AudioExport& wanted = {}) const {
    const auto made = timeline(wanted);
    REQUIRE(made);
    const std::string file = read(*made, 0, static_cast<std::size_t>(made->bytes()));
    CHECK(file.size() == made->bytes());
    return file;
  }
  /// The samples of a channel.
  std::vector<int> samples(const AudioExport& wanted = {}, std::size_t channel = 0) const {
    const std::string file = whole(wanted);
    const std::size_t frame = wanted.track ? 2 : 4;
    std::vector<int> found;
    for (std::size_t at = AudioTimeline::header_bytes + 2 * channel; at + 1 < file.size();
         at += frame)
      found.push_back(static_cast<std::int16_t>(static_cast<std::uint8_t>(file[at]) |
                                                static_cast<std::uint8_t>(file[at + 1]) << 8));
    return found;
  }
};

std::vector<int> count(std::int64_t ms, int first) {
  std::vector<int> out;
  for (std::int64_t i = 0; i < ms * 8; ++i) out.push_back(first + static_cast<int>(i));
  return out;
}
std::vector<int> silence(std::int64_t ms) {
  return std::vector<int>(static_cast<std::size_t>(ms * 8), 0);
}
std::vector<int> operator+(std::vector<int> one, const std::vector<int>& other) {
  one.insert(one.end(), other.begin(), other.end());
  return one;
}

std::uint32_t number(const std::string& file, std::size_t at, int size) {
  std::uint32_t value = 0;
  for (int i = size - 1; i >= 0; --i)
    value = value << 8U | static_cast<std::uint8_t>(file[at + static_cast<std::size_t>(i)]);
  return value;
}

/// The user speaks for 20 ms, pauses for 30 and speaks for 10. The assistant answers from 40 on
/// with 40 ms, of which 15 are heard, and then with 10 ms from 60 on.
Tracks conversation() {
  Tracks made{counted_samples(30, 100), counted_samples(50, 5000)};
  made.runs = {{AudioTrack::user, {}, 0, -1, 10, pcm8},
               {AudioTrack::user, {}, pcm8_bytes(20), -1, 60, pcm8},
               {AudioTrack::user, "u1", pcm8_bytes(5), pcm8_bytes(10), -1, pcm8},
               {AudioTrack::user, "u2", pcm8_bytes(22), pcm8_bytes(8), -1, pcm8},
               {AudioTrack::assistant, "a1", 0, pcm8_bytes(15), 40, pcm8},
               {AudioTrack::assistant, "a2", pcm8_bytes(40), -1, 60, pcm8}};
  return made;
}

constexpr AudioExport only(AudioTrack track) { return {track, false, {}}; }

}  // namespace

TEST_CASE("both speakers are aligned, with silence in the gaps and without what was not heard",
          "[recording][P15]") {
  const Tracks tracks = conversation();
  const auto timeline = tracks.timeline();
  REQUIRE(timeline);
  CHECK(timeline->starts_at_ms() == 10);
  CHECK(timeline->frames() == 60 * 8);
  CHECK(tracks.samples({}, 0) == count(20, 100) + silence(30) + count(10, 260));
  CHECK(tracks.samples({}, 1) == silence(30) + count(15, 5000) + silence(5) + count(10, 5320));
}

TEST_CASE("one track alone has the length of both", "[recording][P15]") {
  const Tracks tracks = conversation();
  CHECK(tracks.samples(only(AudioTrack::user)) == tracks.samples({}, 0));
  CHECK(tracks.samples(only(AudioTrack::assistant)) == tracks.samples({}, 1));
}

TEST_CASE("the head of the file states its form and its length", "[recording][P15]") {
  const std::string file = conversation().whole();
  CHECK(file.substr(0, 4) + file.substr(8, 8) + file.substr(36, 4) == "RIFFWAVEfmt data");
  CHECK(number(file, 4, 4) == file.size() - 8);
  CHECK(number(file, 20, 2) == 1);
  CHECK(number(file, 22, 2) == 2);
  CHECK(number(file, 24, 4) == 8000);
  CHECK(number(file, 28, 4) == 32'000);
  CHECK(number(file, 32, 2) == 4);
  CHECK(number(file, 34, 2) == 16);
  CHECK(number(file, 40, 4) == file.size() - AudioTimeline::header_bytes);
  CHECK(number(conversation().whole(only(AudioTrack::user)), 22, 2) == 1);
}

TEST_CASE("every range of the file is the same part of the whole", "[recording][P15]") {
  Tracks tracks{counted_samples(3, 100), counted_samples(3, 5000)};
  tracks.runs = {{AudioTrack::user, {}, 0, -1, 0, pcm8},
                 {AudioTrack::user, {}, pcm8_bytes(2), -1, 3, pcm8},
                 {AudioTrack::assistant, "a1", 0, pcm8_bytes(1), 1, pcm8},
                 {AudioTrack::assistant, "a2", pcm8_bytes(2), -1, 4, pcm8}};
  const AudioExport wanted = GENERATE(AudioExport{}, only(AudioTrack::assistant));
  const std::string whole = tracks.whole(wanted);
  const auto timeline = tracks.timeline(wanted);
  std::size_t wrong = 0;
  for (std::size_t from = 0; from <= whole.size() + 1; ++from) {
    for (std::size_t size = 0; size <= whole.size() + 2 - std::min(from, whole.size()); ++size) {
      const std::string expected = from < whole.size() ? whole.substr(from, size) : "";
      wrong += tracks.read(*timeline, from, size) != expected;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("speech that was not heard is there for those who ask for it", "[recording][P15]") {
  const Tracks tracks = conversation();
  const AudioExport wanted{AudioTrack::assistant, true, {}};
  // The later answer is heard from its own begin.
  CHECK(tracks.samples(wanted) == silence(30) + count(20, 5000) + count(10, 5320));
  const AudioExport alone{AudioTrack::assistant, true, "a1"};
  CHECK(tracks.samples(alone) == count(40, 5000));
}

TEST_CASE("a turn is the time in which it was spoken", "[recording][P15]") {
  const Tracks tracks = conversation();
  const auto turn = [](const char* item) { return AudioExport{AudioTrack::user, false, item}; };
  CHECK(tracks.samples(turn("u1")) == count(10, 140));
  CHECK(tracks.samples(turn("u2")) == count(8, 276));
  CHECK(tracks.timeline(turn("u1"))->starts_at_ms() == 15);
  CHECK(tracks.samples({AudioTrack::assistant, false, "a1"}) == count(15, 5000));
  CHECK(tracks.samples({AudioTrack::assistant, false, "a2"}) == count(10, 5320));
  CHECK_FALSE(tracks.timeline(turn("unknown")));
  CHECK_FALSE(tracks.timeline(turn("")));
}

TEST_CASE("the items of a recording are where their exports begin and end", "[recording][P15]") {
  const Tracks tracks = conversation();
  const auto whole = tracks.timeline();
  REQUIRE(whole);
  std::string order;
  for (const auto& item : whole->heard_items(tracks.runs)) {
    order += item.item_id + " ";
    const auto alone = tracks.timeline({std::nullopt, false, item.item_id});
    REQUIRE(alone);
    CHECK(alone->frames() == item.ends - item.begins);
    CHECK(alone->starts_at_ms() ==
          whole->starts_at_ms() + static_cast<std::int64_t>(item.begins / 8));
  }
  CHECK(order == "u1 a1 a2 u2 ");
}

TEST_CASE("silence between pieces of audio can be passed over", "[recording]") {
  Tracks tracks{counted_samples(20, 100), {}};
  tracks.runs = {{AudioTrack::user, {}, 0, -1, 10, pcm8},
                 {AudioTrack::user, {}, pcm8_bytes(15), -1, 500, pcm8}};
  const auto timeline = tracks.timeline();
  REQUIRE(timeline);
  CHECK(timeline->next_audio(0) == 0);
  CHECK(timeline->next_audio(15 * 8 - 1) == 15 * 8 - 1);
  CHECK(timeline->next_audio(15 * 8) == 490 * 8);
  CHECK(timeline->next_audio(494 * 8) == 494 * 8);
  CHECK(timeline->next_audio(495 * 8) == timeline->frames());
}

TEST_CASE("G.711 is decoded, and a rate that differs is met", "[recording][P15]") {
  const std::string codes{"\xFF\x00\x80\x7F", 4};
  Tracks tracks{codes, {}};
  tracks.runs = {{AudioTrack::user, {}, 0, -1, 0, {AudioEncoding::pcmu, 8000}}};
  CHECK(tracks.samples(only(AudioTrack::user)) == std::vector<int>{0, -32124, 32124, 0});
  tracks.user = {"\xD5\x55\xAA\x2A", 4};
  tracks.runs[0].format.encoding = AudioEncoding::pcma;
  CHECK(tracks.samples(only(AudioTrack::user)) == std::vector<int>{8, -8, 32256, -32256});
  tracks.assistant = counted_samples(1, 7);
  tracks.runs.push_back({AudioTrack::assistant, "a", 0, -1, 0, {AudioEncoding::pcm16, 24000}});
  const auto mixed = tracks.timeline();
  REQUIRE(mixed);
  CHECK(mixed->rate() == 24000);
  CHECK(mixed->frames() == 12);
  CHECK(tracks.samples({}, 0) ==
        std::vector<int>{8, 8, 8, -8, -8, -8, 32256, 32256, 32256, -32256, -32256, -32256});
  CHECK(tracks.samples({}, 1) == count(1, 7) + std::vector<int>(4, 0));
}

TEST_CASE("after a killed process, the next answer takes the place of speech that was not heard",
          "[recording][P7][P15]") {
  Tracks tracks{"", counted_samples(60, 0)};
  tracks.runs = {{AudioTrack::assistant, "a", 0, -1, 0, pcm8},
                 {AudioTrack::assistant, "b", pcm8_bytes(50), -1, 20, pcm8}};
  CHECK(tracks.samples(only(AudioTrack::assistant)) == count(20, 0) + count(10, 400));
}

TEST_CASE("a user's audio that came faster than it was spoken is not cut after a killed process",
          "[recording][P7][P15]") {
  Tracks tracks{counted_samples(60, 0), ""};
  tracks.runs = {{AudioTrack::user, {}, 0, -1, 0, pcm8},
                 {AudioTrack::user, {}, pcm8_bytes(50), -1, 20, pcm8}};
  CHECK(tracks.samples(only(AudioTrack::user)) == count(60, 0));
}

TEST_CASE("an index that is ahead of its file, or behind it, gives what is there",
          "[recording][P7][P15]") {
  Tracks tracks{counted_samples(10, 0), ""};
  tracks.runs = {{AudioTrack::user, {}, 0, -1, 0, pcm8},
                 {AudioTrack::user, {}, pcm8_bytes(20), -1, 100, pcm8},
                 {AudioTrack::assistant, "a", 0, -1, 5, pcm8}};
  CHECK(tracks.samples(only(AudioTrack::user)) == count(10, 0));
  const auto timeline = tracks.timeline();
  REQUIRE(timeline);
}

TEST_CASE("silence does not take the place of samples that are missing", "[recording][P6][P15]") {
  Tracks tracks = conversation();
  const auto timeline = tracks.timeline();
  REQUIRE(timeline);
  CHECK(timeline->sizes().user == pcm8_bytes(30));
  const auto all = static_cast<std::size_t>(timeline->bytes());
  tracks.user.resize(tracks.user.size() - 2);
  CHECK_FALSE(timeline->read(0, all, tracks.files()));
  CHECK_FALSE(timeline->samples(0, timeline->frames(), tracks.files()));
  CHECK(timeline->samples(0, timeline->frames() - 1, tracks.files()));
  CHECK(
      tracks.timeline(only(AudioTrack::assistant))->samples(0, timeline->frames(), tracks.files()));
}

TEST_CASE("the samples are those of the WAV file, from any frame on", "[recording][P15]") {
  const Tracks tracks = conversation();
  const AudioExport wanted = GENERATE(AudioExport{}, only(AudioTrack::assistant));
  const auto timeline = tracks.timeline(wanted);
  REQUIRE(timeline);
  const std::string audio = tracks.whole(wanted).substr(AudioTimeline::header_bytes);
  std::size_t wrong = 0;
  for (std::uint64_t first = 0; first <= timeline->frames() + 1; ++first) {
    for (const std::uint64_t count : {0, 1, 7, 1000}) {
      const auto at = static_cast<std::size_t>(first * timeline->frame_bytes());
      const auto size = static_cast<std::size_t>(count * timeline->frame_bytes());
      const std::string expected = at < audio.size() ? audio.substr(at, size) : "";
      wrong += timeline->samples(first, count, tracks.files()) != expected;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("a recording that has failed ends where it failed", "[recording][P6][P15]") {
  Tracks tracks{counted_samples(10, 0), ""};
  tracks.runs = {{AudioTrack::user, {}, 0, -1, 0, pcm8},
                 {AudioTrack::user, {}, pcm8_bytes(10), 0, 30, {AudioEncoding::none, 24000}},
                 {AudioTrack::assistant, {}, 0, 0, 30, {AudioEncoding::none, 24000}}};
  CHECK(tracks.samples(only(AudioTrack::user)) == count(10, 0));
  CHECK_FALSE(Tracks{"", ""}.timeline());
  tracks.runs.erase(tracks.runs.begin());
  CHECK_FALSE(tracks.timeline());
}

TEST_CASE("an index with numbers that cannot be gives no file, or one of bounded parts",
          "[recording][P11]") {
  Tracks tracks{counted_samples(10, 0), ""};
  tracks.runs = {{AudioTrack::user, {}, -5, -1, 0, pcm8},
                 {AudioTrack::user, {}, 0, -1, 0, {AudioEncoding::pcm16, 0}},
                 {AudioTrack::user, {}, pcm8_bytes(900), 4, 7, pcm8}};
  CHECK_FALSE(tracks.timeline());
}

TEST_CASE("audio whose index was lost by a kill stands at the beginning of the attempt",
          "[recording][P15]") {
  Tracks tracks{counted_samples(50, 1), counted_samples(30, 1000)};
  SECTION("in the format of the other track") {
    tracks.runs = {{AudioTrack::assistant, "item_1", 0, -1, 20, pcm8}};
    CHECK(tracks.samples() == count(50, 1));
    CHECK(tracks.samples({}, 1) == silence(20) + count(30, 1000));
  }
  SECTION("in the usual format if no track has one") {
    tracks.assistant.clear();
    const auto made = tracks.timeline(only(AudioTrack::user));
    REQUIRE(made);
    CHECK(made->rate() == 24'000);
    CHECK(tracks.samples(only(AudioTrack::user)) == count(50, 1));
  }
  SECTION("and there is none without audio") {
    tracks.user.clear();
    tracks.assistant.clear();
    CHECK_FALSE(tracks.timeline());
  }
}
