// Reads of tracks, raw and archived.
#include "server/recording/recorded_tracks.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <string>

#include "server/recording/track_archive.hpp"
#include "tests/server/recording/support.hpp"

namespace verbatim::recording {

using audio::Format;
namespace fs = std::filesystem;

namespace {

struct Archived : test::RecordedFolder {
  MasterKeys keys = {};
  std::string audio = test::mixed_bytes(2 * 24000 * 25);

  void archive(std::optional<Format> format) {
    test::write(file(Form::raw), audio);
    const auto done =
        archive_track({dir.path(), track, {format, 24000}, keys}, [] { return false; });
    REQUIRE(done);
    REQUIRE(done->raw_bytes == audio.size());
  }
};

}  // namespace

TEST_CASE("any part of an archived track is what a whole read has there", "[recording][P15]") {
  Archived at;
  if (GENERATE(false, true)) at.keys = test::masters(test::key_a);
  const Format format = GENERATE(Format::flac, Format::opus);
  at.archive(format);
  RecordedTracks recorded(at.dir.path(), at.keys);
  const auto size = static_cast<std::int64_t>(at.audio.size());
  std::string whole;
  while (static_cast<std::int64_t>(whole.size()) < size) {
    const auto part = recorded.read(at.track, static_cast<std::int64_t>(whole.size()), 30'001);
    REQUIRE(part);
    REQUIRE_FALSE(part->empty());
    whole += *part;
  }
  if (format == Format::flac) CHECK((whole == at.audio));
  std::mt19937 random(5);
  for (int i = 0; i < 60; ++i) {
    const auto from = static_cast<std::size_t>(random() % whole.size());
    const auto count = static_cast<std::size_t>(random() % 100'000);
    const auto part = recorded.read(at.track, static_cast<std::int64_t>(from), count);
    REQUIRE(part);
    CAPTURE(from, count);
    CHECK((*part == whole.substr(from, count)));
  }
  CHECK(recorded.read(at.track, size, 10)->empty());
}

TEST_CASE("a reader that goes on when the raw file is replaced goes on in the archive",
          "[recording][P15]") {
  Archived at;
  test::write(at.file(Form::raw), at.audio);
  RecordedTracks recorded(at.dir.path(), at.keys);
  CHECK((recorded.read(at.track, 0, 1000) == at.audio.substr(0, 1000)));
  at.archive(Format::flac);
  CHECK((recorded.read(at.track, 1000, 1000) == at.audio.substr(1000, 1000)));
}

TEST_CASE("few archives stay open, and none of a session that is forgotten",
          "[recording][P11][erase]") {
  Archived at;
  at.archive(Format::flac);
  RecordedTracks recorded(at.dir.path(), at.keys);
  for (int i = 0; i < 100; ++i) REQUIRE(recorded.read(at.track, 2000 * i, 10));
  CHECK(test::open_below(at.dir.path()) == RecordedTracks::kept_open_max);
  recorded.forget("s2");
  CHECK(test::open_below(at.dir.path()) == RecordedTracks::kept_open_max);
  recorded.forget("s1");
  CHECK(test::open_below(at.dir.path()) == 0);
  REQUIRE(recorded.read(at.track, 0, 10));
  recorded.close_idle(std::chrono::hours(1));
  CHECK(test::open_below(at.dir.path()) == 1);
  recorded.close_idle(std::chrono::milliseconds(0));
  CHECK(test::open_below(at.dir.path()) == 0);
}

TEST_CASE("a damaged or missing archive is a reason, never silence", "[recording][P6]") {
  Archived at;
  if (GENERATE(false, true)) at.keys = test::masters(test::key_a);
  const Format format = GENERATE(Format::flac, Format::opus);
  at.archive(format);
  const fs::path file = at.file(!at.keys.empty()         ? Form::sealed
                                : format == Format::flac ? Form::flac
                                                         : Form::opus);
  const std::string good = test::content_of(file);
  std::string bad = good;
  for (std::size_t i = 0; i < 40; ++i)
    bad[bad.size() / 2 + i] = static_cast<char>(~bad[bad.size() / 2 + i]);
  test::write(file, bad);
  RecordedTracks recorded(at.dir.path(), at.keys);
  bool refused = false;
  for (std::int64_t from = 0; from < static_cast<std::int64_t>(at.audio.size()) && !refused;
       from += 48'000)
    refused = !recorded.read(at.track, from, 48'000);
  CHECK(refused);
  fs::remove(file);
  CHECK(recorded.read(at.track, 0, 10).error().kind == TroubleKind::none_there);
  CHECK(recorded.measure(at.track)->bytes == 0);
  CHECK_FALSE(recorded.exists(at.track));
}

TEST_CASE("an archive without its key says which key it needs", "[recording][P6][P10]") {
  Archived at;
  at.keys = test::masters(test::key_a);
  at.archive(std::nullopt);
  for (const MasterKeys& wrong : {MasterKeys(), test::masters(test::key_b)}) {
    const auto refused = RecordedTracks(at.dir.path(), wrong).measure(at.track);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == TroubleKind::key_missing);
  }
  fs::remove(key_file_of(at.dir.path(), "s1"));
  const auto refused = RecordedTracks(at.dir.path(), at.keys).measure(at.track);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == TroubleKind::damaged);
}

}  // namespace verbatim::recording
