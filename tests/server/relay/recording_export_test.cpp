// A recording that is encoded from its files, piece by piece.
#include "server/relay/recording_export.hpp"

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/server/recording/support.hpp"
#include "tests/server/relay/audio/decoded.hpp"

using namespace verbatim;
using namespace verbatim::relay;
using test::pcm24;
using test::result_of;
using transcript::AudioEncoding;
using transcript::AudioFormat;
using transcript::AudioTrack;

namespace {

namespace fs = std::filesystem;

constexpr std::size_t seconds = 48'000;  ///< bytes of one

/// Samples that count up, as bytes.
std::string counted_bytes(std::size_t bytes) {
  std::string out(bytes, '\0');
  for (std::size_t i = 0; i + 1 < bytes; i += 2) {
    out[i] = static_cast<char>(i / 2);
    out[i + 1] = static_cast<char>(i / 2 >> 8U);
  }
  return out;
}

struct RecordedForExport {
  test::TempDir dir;
  Log log{{.level = LogLevel::error}};
  Recordings recordings{{.directory = dir / "recordings", .exports_max = 2}, log};
  AudioTimeline::Runs runs = {};
  ~RecordedForExport() { recordings.finish(); }

  fs::path file(const char* name) const { return dir / "recordings" / "s1" / name; }
  void said(AudioTrack track, const std::string& bytes, const AudioFormat& format = pcm24) {
    REQUIRE(recordings.open("s1", 1)->append(track, bytes));
    runs.push_back({track, track == AudioTrack::user ? "" : "a1", 0, -1, 0, format});
  }
  RecordedAudio audio(const AudioExport& wanted = {}) {
    const auto measured =
        result_of<Recordings::Measured>([&](auto done) { recordings.measure("s1", 1, done); });
    REQUIRE(measured);
    auto timeline = AudioTimeline::of(runs, measured->sizes, wanted);
    REQUIRE(timeline);
    return {std::make_shared<const AudioTimeline>(*std::move(timeline)), "s1", 1};
  }
  std::shared_ptr<RecordingExport> begin(audio::Format format, const AudioExport& wanted = {}) {
    return std::make_shared<RecordingExport>(recordings, recordings.permit_export(), audio(wanted),
                                             format);
  }
};

using Piece = RecordingExport::Piece;

std::optional<Piece> next(RecordingExport& of) {
  return result_of<std::optional<Piece>>([&](auto done) { of.next(done); });
}

/// The whole file; nullopt: it ended too early.
std::optional<std::string> rest(RecordingExport& of) {
  std::string file;
  while (true) {
    const auto piece = next(of);
    if (!piece) return std::nullopt;
    file += piece->bytes;
    if (piece->last) return file;
  }
}

}  // namespace

TEST_CASE("a recording as FLAC has the samples of its WAV file", "[recording][P15]") {
  RecordedForExport at;
  at.said(AudioTrack::user, counted_bytes(3 * seconds));
  at.said(AudioTrack::assistant, counted_bytes(2 * seconds + 2));
  const AudioExport wanted =
      GENERATE(AudioExport{}, AudioExport{AudioTrack::user, false, {}},
               AudioExport{AudioTrack::assistant, true, {}}, AudioExport{{}, false, "a1"});
  const auto audio = at.audio(wanted);
  const auto wav = result_of<std::optional<std::string>>([&](auto done) {
    at.recordings.read(audio, AudioTimeline::header_bytes,
                       static_cast<std::size_t>(audio.timeline->bytes()), done);
  });
  REQUIRE(wav);
  const auto flac = rest(*at.begin(audio::Format::flac, wanted));
  REQUIRE(flac);
  const auto decoded = test::decode_flac(*flac);
  CHECK(decoded.good);
  CHECK(decoded.rate == 24000);
  CHECK(decoded.channels == audio.timeline->channels());
  CHECK(decoded.announced == audio.timeline->frames());
  std::string samples;
  for (const int sample : decoded.samples) {
    samples.push_back(static_cast<char>(sample));
    samples.push_back(static_cast<char>(sample >> 8));
  }
  CHECK((samples == *wav));
}

TEST_CASE("a telephone call is decoded before it is encoded, at its own rate", "[recording][P15]") {
  RecordedForExport at;
  at.said(AudioTrack::user, std::string("\xFF\x00\x80\x7F", 4), {AudioEncoding::pcmu, 8000});
  const auto flac = rest(*at.begin(audio::Format::flac, {AudioTrack::user, false, {}}));
  REQUIRE(flac);
  const auto decoded = test::decode_flac(*flac);
  CHECK(decoded.rate == 8000);
  CHECK(decoded.samples == std::vector<int>{0, -32124, 32124, 0});
  const auto opus = rest(*at.begin(audio::Format::opus, {AudioTrack::user, false, {}}));
  REQUIRE(opus);
  CHECK(test::decode_opus(*opus).rate == 8000);
}

TEST_CASE("a long recording leaves in pieces that count as short answers", "[recording]") {
  RecordedForExport at;
  const auto format = GENERATE(audio::Format::flac, audio::Format::opus);
  at.said(AudioTrack::user, counted_bytes(30 * seconds));
  const auto exported = at.begin(format);
  std::size_t pieces = 0;
  std::size_t longest = 0;
  while (true) {
    const auto piece = next(*exported);
    REQUIRE(piece);
    ++pieces;
    longest = std::max(longest, piece->bytes.size());
    if (piece->last) break;
  }
  CHECK(pieces == 30 * seconds * 2 / RecordingExport::samples_bytes + 1);
  CHECK(longest <= 64 * 1024);
}

TEST_CASE("an export of a session that is erased meanwhile ends, in silence as well",
          "[recording][erase][P10]") {
  RecordedForExport at;
  at.said(AudioTrack::user, counted_bytes(2 * seconds));
  at.said(AudioTrack::assistant, counted_bytes(2 * seconds));
  at.runs.back().at_ms = 60'000;  // nothing is said for a minute
  const auto format = GENERATE(audio::Format::flac, audio::Format::opus);
  const auto exported = at.begin(format);
  for (int i = 0; i < 10; ++i) REQUIRE(next(*exported));
  const auto audio = at.audio();
  REQUIRE(result_of<bool>([&](auto done) { at.recordings.erase("s1", done); }));
  CHECK_FALSE(next(*exported));
  CHECK_FALSE(result_of<std::optional<std::string>>(
      [&](auto done) { at.recordings.read(audio, 30 * seconds, 100, done); }));
}

TEST_CASE("an export of a file that is cut meanwhile ends", "[recording][P6]") {
  RecordedForExport at;
  at.said(AudioTrack::user, counted_bytes(4 * seconds));
  const auto exported = at.begin(audio::Format::flac);
  REQUIRE(next(*exported));
  const auto audio = at.audio();
  fs::resize_file(at.file("1.user.pcm"), 4 * seconds - 2);
  CHECK_FALSE(next(*exported));
  CHECK_FALSE(result_of<std::optional<std::string>>(
      [&](auto done) { at.recordings.read(audio, 0, 100, done); }));
}

TEST_CASE("a file that cannot be read ends the export", "[recording][P6]") {
  RecordedForExport at;
  at.said(AudioTrack::user, counted_bytes(4 * seconds));
  const auto exported = at.begin(audio::Format::flac);
  REQUIRE(next(*exported));
  fs::rename(at.file("1.user.pcm"), at.file("moved"));
  fs::create_symlink(at.file("moved"), at.file("1.user.pcm"));  // no link is followed
  CHECK_FALSE(next(*exported));
}

TEST_CASE(
    "recording.exports_max bounds the exports made at once, and one that is given up frees its "
    "place",
    "[recording][limits]") {
  RecordedForExport at;
  at.said(AudioTrack::user, counted_bytes(4 * seconds));
  const auto one = at.begin(audio::Format::opus);
  auto other = at.begin(audio::Format::opus);
  CHECK(at.recordings.permit_export() == nullptr);
  CHECK(at.recordings.permit_export() == nullptr);
  REQUIRE(next(*other));
  other.reset();  // its client has gone
  result_of<bool>([&](auto done) { at.recordings.encode([done] { done(true); }); });
  const auto permit = at.recordings.permit_export();
  CHECK(permit != nullptr);
  CHECK(at.recordings.permit_export() == nullptr);
}

TEST_CASE("an export that is given up while it encodes frees its place afterwards",
          "[recording][limits]") {
  RecordedForExport at;
  at.said(AudioTrack::user, counted_bytes(4 * seconds));
  std::promise<void> go;
  at.recordings.encode([blocked = go.get_future().share()] { blocked.wait(); });
  auto exported = at.begin(audio::Format::flac);
  const std::weak_ptr<RecordingExport> watched = exported;
  auto done = std::make_shared<std::promise<bool>>();
  exported->next([done](const std::optional<Piece>& piece) { done->set_value(piece.has_value()); });
  exported.reset();
  CHECK_FALSE(watched.expired());
  go.set_value();
  CHECK(done->get_future().get());
  at.recordings.finish();
  CHECK(watched.expired());
}

TEST_CASE("exports take turns: a long one does not delay a short one until its end",
          "[recording][fair]") {
  RecordedForExport at;
  at.said(AudioTrack::user, counted_bytes(10 * seconds));
  std::vector<int> order;
  std::promise<void> go;
  at.recordings.encode([blocked = go.get_future().share()] { blocked.wait(); });
  const auto one = at.begin(audio::Format::flac);
  const auto other = at.begin(audio::Format::flac);
  auto last = std::make_shared<std::promise<void>>();
  one->next([&](const auto&) {
    order.push_back(1);
    one->next([&](const auto&) {
      order.push_back(1);
      last->set_value();
    });
  });
  other->next([&](const auto&) { order.push_back(2); });
  go.set_value();
  last->get_future().get();
  CHECK(order == std::vector<int>{1, 2, 1});
}
