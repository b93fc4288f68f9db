// From a raw file to its archive, and what stops it.
#include "server/recording/track_archive.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <string>

#include "server/recording/recorded_tracks.hpp"
#include "tests/server/recording/support.hpp"

namespace verbatim::recording {

using audio::Format;
using transcript::AudioEncoding;
using transcript::AudioPlaced;
using transcript::AudioTrack;
namespace fs = std::filesystem;

namespace {

const auto never = [] { return false; };

/// Tones, so that Opus has something to keep.
std::string spoken_bytes(std::size_t samples) {
  std::string out;
  for (std::size_t i = 0; i < samples; ++i) {
    const int sample = static_cast<int>(8000 * std::sin(static_cast<double>(i) * 0.1));
    out.push_back(static_cast<char>(sample));
    out.push_back(static_cast<char>(sample >> 8));
  }
  return out;
}

struct TrackFolder : test::RecordedFolder {
  MasterKeys keys = {};
  Coding coding{Format::flac, 24000};

  void raw(const std::string& bytes) const { test::write(file(Form::raw), bytes); }
  ArchiveOrder order() const { return {dir.path(), track, coding, keys}; }
  auto archive() const { return archive_track(order(), never); }
  bool has(Form form) const { return fs::exists(file(form)); }
  std::string read() const {
    RecordedTracks tracks(dir.path(), keys);
    const auto size = tracks.measure(track);
    REQUIRE(size);
    const auto bytes = tracks.read(track, 0, static_cast<std::size_t>(size->bytes) + 10);
    REQUIRE(bytes);
    return *bytes;
  }
};

/// An encoder that does one thing wrong.
class WrongEncoder final : public audio::Encoder {
 public:
  enum class Fault { sample, fewer, fails, fails_at_end };
  WrongEncoder(std::unique_ptr<audio::Encoder> right, Fault fault)
      : right_(std::move(right)), fault_(fault) {}
  bool encode(std::string_view frames, std::string& out) override {
    if (fault_ == Fault::fails) return false;
    std::string changed(frames);
    if (fault_ == Fault::sample && pieces_++ == 1)
      changed[20'000] = static_cast<char>(changed[20'000] ^ 1);
    if (fault_ == Fault::fewer) changed.resize(changed.size() - 2);
    return right_->encode(changed, out);
  }
  bool finish(std::string& out) override {
    return right_->finish(out) && fault_ != Fault::fails_at_end;
  }

 private:
  std::unique_ptr<audio::Encoder> right_;
  Fault fault_;
  int pieces_ = 0;
};

AudioPlaced run(AudioEncoding encoding, int rate, std::int64_t from = 0) {
  return {AudioTrack::user, "", from, -1, 0, {encoding, rate}};
}

}  // namespace

TEST_CASE("FLAC, Opus and encrypted archives replace the raw file", "[recording][P15]") {
  TrackFolder at;
  const std::string audio = spoken_bytes(100'001);
  at.raw(audio);
  const bool encrypted = GENERATE(false, true);
  if (encrypted) at.keys = test::masters(test::key_a);
  SECTION("FLAC") {
    const auto done = at.archive();
    REQUIRE(done);
    CHECK(done->raw_bytes == audio.size());
    CHECK(done->bytes < audio.size());
    CHECK(at.has(encrypted ? Form::sealed : Form::flac));
    CHECK((at.read() == audio));
  }
  SECTION("Opus") {
    at.coding.format = Format::opus;
    REQUIRE(at.archive());
    CHECK(at.has(encrypted ? Form::sealed : Form::opus));
    CHECK(at.read().size() == audio.size());
    const auto size = RecordedTracks(at.dir.path(), at.keys).measure(at.track);
    REQUIRE(size);
    CHECK(size->lossy);
  }
  SECTION("the bytes as they came") {
    at.coding = {};
    const auto done = at.archive();
    REQUIRE(done);
    CHECK(done->raw_bytes == (encrypted ? audio.size() : 0));
    CHECK(at.has(Form::sealed) == encrypted);
    CHECK((at.read() == audio));
  }
  CHECK(at.has(Form::raw) == (!encrypted && !at.coding.format));
  CHECK_FALSE(fs::exists(at.unfinished()));
}

TEST_CASE("an archive has the mode and the time of its raw file", "[recording][P10]") {
  TrackFolder at;
  at.raw(spoken_bytes(1000));
  const auto old = fs::file_time_type::clock::now() - std::chrono::hours(1000);
  fs::last_write_time(at.file(Form::raw), old);
  REQUIRE(at.archive());
  CHECK(fs::last_write_time(at.file(Form::flac)) == old);
  struct stat status {};
  REQUIRE(::stat(at.file(Form::flac).c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0600);
}

TEST_CASE("an archive that differs from the raw file, or cannot be made, leaves the raw file",
          "[recording][P6][P7]") {
  TrackFolder at;
  const std::string audio = spoken_bytes(100'000);
  at.raw(audio);
  at.coding.format = GENERATE(Format::flac, Format::opus);
  if (GENERATE(false, true)) at.keys = test::masters(test::key_a);
  using Fault = WrongEncoder::Fault;
  const Fault fault = GENERATE(Fault::sample, Fault::fewer, Fault::fails, Fault::fails_at_end);
  if (fault == Fault::sample && at.coding.format == Format::opus) return;
  ArchiveOrder order = at.order();
  order.make_encoder = [fault](Format format, const audio::Shape& shape) {
    return std::make_unique<WrongEncoder>(audio::make_encoder(format, shape), fault);
  };
  const auto done = archive_track(order, never);
  REQUIRE_FALSE(done);
  CHECK(done.error().kind != TroubleKind::none_there);
  CHECK((test::content_of(at.file(Form::raw)) == audio));
  for (const Form form : archive_forms) CHECK_FALSE(at.has(form));
  CHECK_FALSE(fs::exists(at.unfinished()));
  order.make_encoder = [](Format, const audio::Shape&) { return nullptr; };
  CHECK_FALSE(archive_track(order, never));
  CHECK(at.has(Form::raw));
}

TEST_CASE("work that is stopped at any moment leaves the raw file, and can begin again",
          "[recording][P7]") {
  TrackFolder at;
  const std::string audio = spoken_bytes(200'000);
  at.keys = test::masters(test::key_a);
  bool ended = false;
  for (int allowed = 0; !ended; ++allowed) {
    REQUIRE(allowed < 100);
    at.raw(audio);
    int asked = 0;
    const auto done = archive_track(at.order(), [&] { return asked++ == allowed; });
    REQUIRE(done);
    ended = done->raw_bytes > 0;
    CHECK(at.has(Form::raw) != ended);
    CHECK(at.has(Form::sealed) == ended);
    CHECK_FALSE(fs::exists(at.unfinished()));
    CHECK((at.read() == audio));
  }
}

TEST_CASE("the work of a killed process is finished", "[recording][P7]") {
  TrackFolder at;
  const std::string audio = spoken_bytes(50'000);
  at.raw(audio);
  SECTION("half of an archive") {
    test::write(at.unfinished(), "fLaC, half of it");
    REQUIRE(at.archive());
  }
  SECTION("the archive and the raw file") {
    REQUIRE(at.archive());
    at.raw(audio);
    at.coding = {};  // the setting has changed meanwhile
    const auto done = at.archive();
    REQUIRE(done);
    CHECK(done->raw_bytes == audio.size());
  }
  CHECK_FALSE(at.has(Form::raw));
  CHECK((at.read() == audio));
  CHECK(at.archive()->raw_bytes == 0);
}

TEST_CASE("an archive of other audio does not remove a raw file", "[recording][P6]") {
  TrackFolder at;
  at.raw(spoken_bytes(50'000));
  REQUIRE(at.archive());
  at.raw(spoken_bytes(60'000));
  const auto done = at.archive();
  REQUIRE_FALSE(done);
  CHECK(done.error().why == "1.user: the archive is for 100000 bytes, and the raw file has 120000");
  CHECK(at.has(Form::raw));
  test::write(at.file(Form::flac), "damaged");
  CHECK_FALSE(at.archive());
  CHECK(at.has(Form::raw));
}

TEST_CASE("half of a sample is kept: such a file stays as it is", "[recording][P7]") {
  TrackFolder at;
  const std::string audio = spoken_bytes(5000) + "x";
  at.raw(audio);
  CHECK(at.archive()->raw_bytes == 0);
  CHECK(at.has(Form::raw));
  at.keys = test::masters(test::key_a);
  CHECK(at.archive()->raw_bytes == audio.size());
  CHECK(at.has(Form::sealed));
  CHECK((at.read() == audio));
}

TEST_CASE("an archive takes no room that the journal needs", "[recording][P6]") {
  TrackFolder at;
  at.raw(spoken_bytes(5000));
  ArchiveOrder order = at.order();
  order.room_left = fs::space(at.dir.path()).capacity;
  const auto done = archive_track(order, never);
  REQUIRE_FALSE(done);
  CHECK(done.error().why.find("free space") != std::string::npos);
  CHECK(at.has(Form::raw));
  CHECK_FALSE(fs::exists(at.unfinished()));
}

TEST_CASE("a key that is not configured is a reason to wait, not to encrypt with another",
          "[recording][P10]") {
  TrackFolder at;
  at.keys = test::masters(test::key_a);
  at.raw(spoken_bytes(5000));
  REQUIRE(at.archive());
  at.track.attempt = 2;
  at.raw(spoken_bytes(5000));
  at.keys = test::masters(test::key_b);
  const auto done = at.archive();
  REQUIRE_FALSE(done);
  CHECK(done.error().kind == TroubleKind::key_missing);
  CHECK(at.has(Form::raw));
  at.keys = test::masters(test::key_b + "\n" + test::key_a);
  CHECK(at.archive()->raw_bytes == 10'000);
}

TEST_CASE("only PCM of one rate is encoded", "[recording][P15]") {
  const auto coding = [](std::vector<AudioPlaced> runs, std::optional<Format> wanted) {
    return coding_of(runs, AudioTrack::user, wanted);
  };
  const auto pcm = run(AudioEncoding::pcm16, 24000);
  CHECK(coding({pcm}, Format::flac).format == Format::flac);
  CHECK(coding({pcm}, Format::flac).rate == 24000);
  CHECK(coding({pcm, run(AudioEncoding::none, 24000)}, Format::opus).format == Format::opus);
  CHECK_FALSE(coding({pcm}, std::nullopt).format);
  CHECK_FALSE(coding({}, Format::flac).format);
  CHECK_FALSE(coding({run(AudioEncoding::pcmu, 8000)}, Format::flac).format);
  CHECK_FALSE(coding({pcm, run(AudioEncoding::pcma, 8000)}, Format::opus).format);
  CHECK_FALSE(coding({pcm, run(AudioEncoding::pcm16, 16000)}, Format::flac).format);
  CHECK_FALSE(coding({run(AudioEncoding::pcm16, 44100)}, Format::opus).format);
  CHECK(coding({run(AudioEncoding::pcm16, 44100)}, Format::flac).format == Format::flac);
  CHECK_FALSE(coding({pcm, run(AudioEncoding::pcm16, 24000, 7)}, Format::opus).format);
  CHECK(coding({pcm, run(AudioEncoding::pcm16, 24000, 7)}, Format::flac).format == Format::flac);
  CHECK_FALSE(coding({{AudioTrack::assistant, "", 0, -1, 0, {}}}, Format::flac).format);
}

TEST_CASE("a file with another name is not a track", "[recording]") {
  for (const char* const name : {"1.user.wav", "user.pcm", "1.pcm", "x.user.pcm", "1.other.pcm",
                                 ".1.user.flac.Ab3d", "1.user.pcm~", "session.key", ""})
    CHECK_FALSE(track_file("s1", name));
  const auto found = track_file("s1", "12.assistant.sealed");
  REQUIRE(found);
  CHECK(found->track == Track{"s1", 12, AudioTrack::assistant});
  CHECK(found->form == Form::sealed);
  CHECK(track_file("s1", "1.user.tmp")->unfinished);
}

}  // namespace verbatim::recording
