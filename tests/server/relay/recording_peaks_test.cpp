// The loudness of a recording over time, computed from its files and kept beside them.
#include "server/relay/recording_peaks.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json/tree.hpp"
#include "tests/server/recording/support.hpp"

using namespace verbatim;
using namespace verbatim::relay;
using test::pcm24;
using test::result_of;
using transcript::AudioEncoding;
using transcript::AudioFormat;
using transcript::AudioTrack;

namespace {

namespace fs = std::filesystem;

constexpr AudioFormat telephone{AudioEncoding::pcmu, 8000};
constexpr std::size_t ms = 48;  ///< bytes of one

/// Samples of either sign that get louder, as bytes.
std::string rising(std::size_t bytes) {
  std::string out(bytes, '\0');
  for (std::size_t i = 0; i + 1 < bytes; i += 2) {
    const auto size = static_cast<std::int16_t>(i % 65536 / 2);
    const auto sample = static_cast<std::int16_t>(i % 4 == 0 ? size : -size);
    out[i] = static_cast<char>(sample);
    out[i + 1] = static_cast<char>(sample >> 8);
  }
  return out;
}

struct RecordedForPeaks {
  test::TempDir dir;
  Log log{{.level = LogLevel::error}};
  Recordings recordings{{.directory = dir / "recordings"}, log};
  AudioTimeline::Runs runs = {};
  ~RecordedForPeaks() { recordings.finish(); }

  fs::path file(const char* name = "1.peaks") const { return dir / "recordings" / "s1" / name; }
  void said(AudioTrack track, std::int64_t at_ms, const std::string& bytes,
            const AudioFormat& format = pcm24) {
    const auto sink = recordings.open("s1", 1);
    runs.push_back(
        {track, track == AudioTrack::user ? "" : "a1", sink->begins_at(track), -1, at_ms, format});
    REQUIRE(sink->append(track, bytes));
  }
  RecordedAudio audio() {
    const auto measured =
        result_of<Recordings::Measured>([&](auto done) { recordings.measure("s1", 1, done); });
    REQUIRE(measured);
    auto timeline = AudioTimeline::of(runs, measured->sizes, {});
    REQUIRE(timeline);
    return {std::make_shared<const AudioTimeline>(*std::move(timeline)), "s1", 1};
  }
  std::shared_ptr<RecordingPeaks> peaks() {
    return std::make_shared<RecordingPeaks>(recordings, audio(), runs);
  }
};

using Progress = RecordingPeaks::Progress;

/// Whether they could be computed.
bool computed(RecordingPeaks& peaks) {
  while (true) {
    const auto made = result_of<Progress>([&](auto done) { peaks.next(done); });
    if (made != Progress::more) return made == Progress::complete;
  }
}

std::optional<std::string> kept(RecordingPeaks& peaks) {
  return result_of<std::optional<std::string>>([&](auto done) { peaks.read_kept(done); });
}

/// The values of a channel of the WAV file, computed in another way.
std::vector<int> expected(RecordedForPeaks& at, std::size_t channel, std::size_t value_frames) {
  const auto audio = at.audio();
  const auto wav = result_of<std::optional<std::string>>([&](auto done) {
    at.recordings.read(audio, 0, static_cast<std::size_t>(audio.timeline->bytes()), done);
  });
  REQUIRE(wav);
  std::vector<int> values;
  const auto frames = static_cast<std::size_t>(audio.timeline->frames());
  for (std::size_t frame = 0; frame < frames; ++frame) {
    if (frame % value_frames == 0) values.push_back(0);
    const std::size_t place = AudioTimeline::header_bytes + 4 * frame + 2 * channel;
    const auto sample =
        static_cast<std::int16_t>(static_cast<std::uint8_t>((*wav)[place]) |
                                  static_cast<std::uint8_t>((*wav)[place + 1]) << 8);
    values.back() = std::max(values.back(), (std::abs(int{sample}) * 255 + 32767) / 32768);
  }
  return values;
}

}  // namespace

TEST_CASE("peaks are the largest samples of the WAV file, twenty times a second",
          "[recording][P15]") {
  RecordedForPeaks at;
  at.said(AudioTrack::user, 100, rising(3070 * ms));
  at.said(AudioTrack::user, 60'000, rising(120 * ms));
  at.said(AudioTrack::assistant, 2030, std::string(500 * ms, '\0') + rising(900 * ms));
  const auto peaks = at.peaks();
  REQUIRE(computed(*peaks));
  const Json json = Json::parse(peaks->json());
  CHECK(json["starts_at_ms"] == 100);
  CHECK(json["duration_ms"] == 60'020);
  CHECK(json["per_second"] == 20);
  CHECK(json["user"].get<std::vector<int>>() == expected(at, 0, 1200));
  CHECK(json["assistant"].get<std::vector<int>>() == expected(at, 1, 1200));
  CHECK(json["user"].size() == 1201);
  CHECK(json["spoken"] == Json::array({{{"item_id", "a1"}, {"from_ms", 1930}, {"to_ms", 3330}}}));
}

TEST_CASE("the loudest sample is full scale, and only silence is zero", "[recording][P15]") {
  RecordedForPeaks at;
  const auto said = [&](std::int64_t at_ms, const char* sample) {
    std::string audio(50 * ms, '\0');
    audio.replace(20, 2, sample, 2);
    at.said(AudioTrack::user, at_ms, audio);
  };
  said(0, "\x00\x80");    // -32768
  said(50, "\xff\xff");   // -1
  said(100, "\x00\x00");  // silence
  said(150, "\xff\x7f");  // 32767
  const auto peaks = at.peaks();
  REQUIRE(computed(*peaks));
  const Json json = Json::parse(peaks->json());
  CHECK(json["user"] == Json::array({255, 1, 0, 255}));
  CHECK(json["assistant"] == Json::array({0, 0, 0, 0}));
}

TEST_CASE("the peaks of a telephone call of an hour are fewer, and as long as the call",
          "[recording][limits][P15]") {
  RecordedForPeaks at;
  at.said(AudioTrack::user, 0, std::string(8000, '\x00'), telephone);
  at.said(AudioTrack::user, 3'599'000, std::string(8000, '\x80'), telephone);
  const auto peaks = at.peaks();
  REQUIRE(computed(*peaks));
  const Json json = Json::parse(peaks->json());
  CHECK(json["duration_ms"] == 3'600'000);
  CHECK(json["per_second"] == 5);
  const auto user = json["user"].get<std::vector<int>>();
  REQUIRE(user.size() == 18'000);
  CHECK(user.front() == 250);
  CHECK(user.back() == 250);
  CHECK(std::count(user.begin(), user.end(), 0) == 18'000 - 10);
  CHECK(json["assistant"].size() == 18'000);
}

TEST_CASE("the peaks of a call of many hours have a rate that is not whole",
          "[recording][limits]") {
  RecordedForPeaks at;
  at.said(AudioTrack::user, 0, std::string(8, '\x00'), telephone);
  at.said(AudioTrack::user, 10'000'000, std::string(8, '\x00'), telephone);
  const auto peaks = at.peaks();
  REQUIRE(computed(*peaks));
  const Json json = Json::parse(peaks->json());
  CHECK(json["per_second"] == 1.25);
  CHECK(json["user"].size() == 12'501);
}

TEST_CASE("an index with a time that cannot be costs neither memory nor time",
          "[recording][limits]") {
  RecordedForPeaks at;
  at.said(AudioTrack::user, 0, rising(100 * ms));
  at.said(AudioTrack::user, 1'000'000'000'000, rising(100 * ms));
  const auto peaks = at.peaks();
  REQUIRE(computed(*peaks));
  CHECK(Json::parse(peaks->json())["user"].size() <= RecordingPeaks::values_max);
}

TEST_CASE("peaks are kept beside the audio, for the owner alone", "[recording][P10][P15]") {
  RecordedForPeaks at;
  at.said(AudioTrack::user, 0, rising(400 * ms));
  const auto first = at.peaks();
  CHECK_FALSE(kept(*first));
  REQUIRE(computed(*first));
  const auto again = at.peaks();
  CHECK(kept(*again) == first->json());
  struct stat status {};
  REQUIRE(::stat(at.file().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0600);
  CHECK_FALSE(fs::exists(at.file("1.peaks.tmp")));
}

TEST_CASE("kept peaks that are cut, changed or of other audio are not used", "[recording][P6]") {
  RecordedForPeaks at;
  at.said(AudioTrack::user, 0, rising(400 * ms));
  const auto peaks = at.peaks();
  REQUIRE(computed(*peaks));
  REQUIRE(kept(*peaks));
  SECTION("cut") { fs::resize_file(at.file(), fs::file_size(at.file()) - 1); }
  SECTION("empty") { fs::resize_file(at.file(), 0); }
  SECTION("changed") {
    std::fstream file(at.file(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-3, std::ios::end);
    file.put('7');
  }
  SECTION("of less audio") {
    at.said(AudioTrack::user, 400, rising(100 * ms));
    const auto longer = at.peaks();
    CHECK_FALSE(kept(*longer));
    REQUIRE(computed(*longer));  // and takes its place
    CHECK(kept(*longer) == longer->json());
  }
  CHECK_FALSE(kept(*peaks));
}

TEST_CASE("peaks of a session that is erased meanwhile end, and bring no folder back",
          "[recording][erase][P10]") {
  RecordedForPeaks at;
  at.said(AudioTrack::user, 0, rising(400 * ms));
  const auto peaks = at.peaks();
  const auto erase = [&] {
    REQUIRE(result_of<bool>([&](auto done) { at.recordings.erase("s1", done); }));
  };
  SECTION("before their end") {
    erase();
    CHECK_FALSE(computed(*peaks));
  }
  SECTION("before they are written") {
    const auto held = std::make_shared<std::promise<void>>();
    at.recordings.in_folder("s1", [held](const fs::path&) { held->get_future().wait(); });
    auto erased = std::make_shared<std::promise<bool>>();
    at.recordings.erase("s1", [erased](bool done) { erased->set_value(done); });
    CHECK(computed(*peaks));
    held->set_value();
    CHECK(erased->get_future().get());
  }
  SECTION("after they were written") {
    REQUIRE(computed(*peaks));
    REQUIRE(kept(*peaks));
    erase();
  }
  CHECK_FALSE(kept(*peaks));
  CHECK_FALSE(fs::exists(at.file().parent_path()));
}

TEST_CASE("a disk that takes no peaks only means that they are not kept", "[recording][P6]") {
  RecordedForPeaks at;
  at.said(AudioTrack::user, 0, rising(400 * ms));
  fs::create_directories(at.file() / "in the place of the file");
  const auto peaks = at.peaks();
  REQUIRE(computed(*peaks));
  CHECK_FALSE(kept(*peaks));
  CHECK(Json::parse(peaks->json())["user"].size() == 8);
  CHECK_FALSE(fs::exists(at.file("1.peaks.tmp")));
}
