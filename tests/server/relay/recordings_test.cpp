// The files of recorded audio.
#include "server/relay/recordings.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdint>
#include <fstream>
#include <string>

#include "base/json/tree.hpp"
#include "config/settings.hpp"
#include "server/relay/access/token_terms.hpp"
#include "tests/server/recording/support.hpp"

using namespace verbatim;
using namespace verbatim::relay;
using test::content_of;
using test::result_of;
using test::TempDir;
using transcript::AudioTrack;

namespace {

namespace fs = std::filesystem;

struct Folder {
  TempDir dir;
  Log log{{.level = LogLevel::error}};
  Recordings recordings{{dir / "recordings"}, log};
  ~Folder() { recordings.finish(); }

  fs::path file(const std::string& name) const { return dir / "recordings" / name; }
};

/// Whether nothing of the session is left, also if there was nothing.
bool nothing_left_after_erasing(Recordings& recordings, const std::string& id) {
  return result_of<bool>([&](auto done) { recordings.erase(id, done); });
}

}  // namespace

TEST_CASE("a session has a file for each speaker, which only the owner can read",
          "[recording][P10][P15]") {
  Folder at;
  {
    const auto sink = at.recordings.open("s1", 2);
    CHECK_FALSE(fs::exists(at.dir / "recordings"));  // nothing was said yet
    CHECK(sink->append(AudioTrack::user, "ab"));
    CHECK(sink->append(AudioTrack::user, "cd"));
    CHECK(sink->append(AudioTrack::assistant, "ef"));
  }
  CHECK(content_of(at.file("s1/2.user.pcm")) == "abcd");
  CHECK(content_of(at.file("s1/2.assistant.pcm")) == "ef");
  struct stat status {};
  REQUIRE(::stat(at.file("s1/2.user.pcm").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0600);
  REQUIRE(::stat(at.file("s1").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0700);
  const auto measured =
      result_of<Recordings::Measured>([&](auto done) { at.recordings.measure("s1", 2, done); });
  REQUIRE(measured);
  CHECK(measured->sizes.user == 4);
  CHECK(measured->sizes.assistant == 2);
}

TEST_CASE("an attempt that goes on continues its files, and cuts off no byte of them",
          "[recording][P7][P14]") {
  Folder at;
  fs::create_directories(at.file("s1"));
  std::ofstream(at.file("s1/1.user.pcm"), std::ios::binary) << "abc";
  const auto sink = at.recordings.open("s1", 1);
  CHECK(sink->begins_at(AudioTrack::user) == 4);
  CHECK(sink->begins_at(AudioTrack::assistant) == 0);
  CHECK(sink->append(AudioTrack::user, "de"));
  CHECK(sink->append(AudioTrack::user, "fg"));
  CHECK(content_of(at.file("s1/1.user.pcm")) ==
        "abc\xff"
        "defg");
}

TEST_CASE("erasing a session removes its files, and those of no other", "[recording][erase]") {
  Folder at;
  for (const char* const id : {"s1", "s1.2", "s2", "..", "."})
    CHECK(at.recordings.open(id, 1)->append(AudioTrack::user, "ab"));
  CHECK(content_of(at.file("%../1.user.pcm")) == "ab");
  CHECK(nothing_left_after_erasing(at.recordings, "s1"));
  CHECK_FALSE(fs::exists(at.file("s1")));
  CHECK(nothing_left_after_erasing(at.recordings, ".."));
  CHECK(fs::exists(at.file("s1.2/1.user.pcm")));
  CHECK(fs::exists(at.file("s2/1.user.pcm")));
  CHECK(fs::exists(at.file("%./1.user.pcm")));
  CHECK(nothing_left_after_erasing(at.recordings, "nobody"));
  CHECK(nothing_left_after_erasing(at.recordings, "../recordings"));
  CHECK(fs::exists(at.file("s2/1.user.pcm")));
}

TEST_CASE("a file that cannot be made or written is reported once", "[recording][P6]") {
  Folder at;
  std::ofstream(at.dir / "recordings") << "in the place of the folder";
  const auto sink = at.recordings.open("s1", 1);
  CHECK_FALSE(sink->append(AudioTrack::user, "ab"));
  CHECK(at.recordings.failures() == 1);
}

TEST_CASE("nothing is recorded on a disk that is nearly full", "[recording][P6]") {
  const TempDir dir;
  Log log{{.level = LogLevel::error}};
  // No disk has this much, so the limit is a tenth of the disk.
  Recordings recordings({dir / "recordings", SIZE_MAX}, log);
  const auto space = fs::space(dir.path());
  const bool has_room = space.available >= space.capacity / 10;
  CHECK(recordings.open("s1", 1)->append(AudioTrack::user, "ab") == has_room);
  CHECK(recordings.failures() == (has_room ? 0 : 1));
}

TEST_CASE("a relay that records nothing has neither a folder nor a thread for it",
          "[recording][P12]") {
  const TempDir dir;
  config::Settings settings;
  settings.server.data_dir = dir.path();
  Log log{{.level = LogLevel::error}};
  CHECK(settings.recording.enabled == config::Record::no);
  CHECK(Recordings::open_if_any(settings, log) == nullptr);
  CHECK(fs::is_empty(dir.path()));
  fs::create_directories(dir / "recordings");  // earlier recordings can still be read and erased
  CHECK(Recordings::open_if_any(settings, log) != nullptr);
}

TEST_CASE("the configuration and the token say whether a session is recorded", "[recording][P15]") {
  using config::Record;
  const auto recorded = [](Record enabled, const char* terms) {
    config::Settings settings;
    settings.recording.enabled = enabled;
    return access::is_recorded(settings.recording, terms);
  };
  const char* const none = R"({"policy":{},"limits":{}})";
  const char* const wanted = R"({"policy":{},"limits":{},"recording":true})";
  const char* const refused = R"({"policy":{},"limits":{},"recording":false})";
  for (const char* const terms : {"", none, wanted, refused})
    CHECK_FALSE(recorded(Record::no, terms));
  CHECK(recorded(Record::yes, ""));
  CHECK(recorded(Record::yes, none));
  CHECK(recorded(Record::yes, wanted));
  CHECK_FALSE(recorded(Record::yes, refused));
  CHECK_FALSE(recorded(Record::token, ""));
  CHECK_FALSE(recorded(Record::token, none));
  CHECK(recorded(Record::token, wanted));
  CHECK_FALSE(recorded(Record::token, refused));
}

TEST_CASE("a token's wish for a recording is stored with it, or refused", "[recording][P15]") {
  config::Settings settings;
  const auto read = [&](const char* verbatim) {
    return access::read_terms(Json::parse(verbatim), settings);
  };
  CHECK(read(R"({"recording":false})"));
  CHECK(read(R"({"recording":true})").error().place == "verbatim.recording");
  settings.recording.enabled = config::Record::token;
  CHECK(access::is_recorded(settings.recording, read(R"({"recording":true})").value()));
  CHECK(read(R"({})").value().empty());
  CHECK(read(R"({"recording":"yes"})").error().place == "verbatim.recording");
}
