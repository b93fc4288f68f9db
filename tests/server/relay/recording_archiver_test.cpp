// Which recordings are archived and removed, and when.
#include "server/relay/recording_archiver.hpp"

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "server/relay/recording_export.hpp"
#include "server/relay/recordings.hpp"
#include "tests/server/recording/support.hpp"

using namespace verbatim;
using namespace verbatim::relay;
using recording::Form;
using transcript::AudioTrack;
using transcript::SessionStatus;
namespace fs = std::filesystem;

namespace {

/// The sessions of a store, as the archive sees them. Any thread.
class Store final : public store::RecordingStore, public store::SessionStore {
 public:
  struct Attempt {
    SessionStatus status = SessionStatus::final;
    bool complete = false;
    transcript::AudioFormat format = {};
  };
  void set(const std::string& id, Attempt attempt) {
    const std::lock_guard lock(mutex_);
    sessions_[id] = attempt;
  }

  void read_recording(std::string id, std::optional<int> attempt, store::ReadLabel,
                      store::Done<std::optional<store::RecordedAttempt>> done) override {
    const auto known = find(id);
    if (!known) return done(std::optional<store::RecordedAttempt>());
    store::RecordedAttempt found{attempt.value_or(1), known->status, 0, 1, {}};
    for (const AudioTrack track : recording::tracks)
      found.runs.push_back({track, track == AudioTrack::user ? "" : "a1", 0, -1, 0, known->format});
    done(std::optional(found));
  }
  void find_session(std::string id, store::ReadLabel,
                    store::Done<std::optional<store::SessionSummary>> done) override {
    const auto known = find(id);
    if (!known) return done(std::optional<store::SessionSummary>());
    store::SessionSummary found;
    found.attempts.emplace_back().number = 1;
    found.attempts.back().receipt.emplace().complete = known->complete;
    done(std::optional(found));
  }
  void list_sessions(store::SessionFilter, store::ReadLabel,
                     store::Done<store::SessionPage>) override {}
  void find_owner(std::string, store::ReadLabel, store::Done<std::optional<std::string>>) override {
  }
  void read_transcripts(store::TranscriptRequest, store::ReadLabel,
                        store::Done<std::optional<store::TranscriptViews>>) override {}
  void sessions_ended_before(TimeMs, std::size_t, store::ReadLabel,
                             store::Done<std::vector<std::string>>) override {}
  void create_session(store::NewSession, store::Done<store::MadeSession>) override {}
  void patch_metadata(std::string, store::MetadataPatch, std::size_t, store::Done<>) override {}
  void erase_session(std::string, store::TokenClock, store::Done<bool>,
                     std::function<void()>) override {}

 private:
  std::optional<Attempt> find(const std::string& id) {
    const std::lock_guard lock(mutex_);
    const auto found = sessions_.find(id);
    return found == sessions_.end() ? std::nullopt : std::optional(found->second);
  }
  std::mutex mutex_;
  std::map<std::string, Attempt> sessions_;
};

struct ArchiverFolder {
  explicit ArchiverFolder(RecordingArchiver::Options archive, recording::MasterKeys keys = {})
      : recordings({.directory = dir.path(), .keys = std::move(keys), .archive = archive}, log) {}
  ~ArchiverFolder() { recordings.finish(); }

  void raw(const std::string& id, const std::string& bytes) const {
    test::write(dir / id / "1.user.pcm", bytes);
  }
  bool has(const std::string& name) const { return fs::exists(dir / name); }
  void begin() { recordings.keep(io.get_executor(), store, store); }
  /// Runs what is to do until this is so.
  void until(const std::function<bool()>& so) {
    for (int i = 0; !so(); ++i) {
      REQUIRE(i < 6000);
      io.restart();
      io.run_for(std::chrono::milliseconds(5));
    }
  }
  template <class T, class Call>
  T answer(const Call& call) {
    auto promise = std::make_shared<std::promise<T>>();
    auto future = promise->get_future();
    call([promise](T value) { promise->set_value(std::move(value)); });
    REQUIRE(future.wait_for(std::chrono::seconds(30)) == std::future_status::ready);
    return future.get();
  }

  test::TempDir dir;
  Log log{{.level = LogLevel::error}};
  Store store;
  boost::asio::io_context io;
  Recordings recordings;
};

RecordingArchiver::Options flac() {
  return {.format = audio::Format::flac, .retry_min = std::chrono::milliseconds(1)};
}

}  // namespace

TEST_CASE("a final attempt is archived at the start, and one that may go on is not",
          "[recording][P15]") {
  ArchiverFolder at(flac());
  at.raw("done", test::mixed_bytes(100'000));
  at.raw("live", test::mixed_bytes(100'000));
  at.raw("unknown", test::mixed_bytes(100'000));
  test::write(at.dir / "done" / "1.assistant.tmp", "half of an archive");
  fs::last_write_time(at.dir / "done" / "1.assistant.tmp",
                      fs::file_time_type::clock::now() - std::chrono::hours(1));
  test::write(at.dir / "done" / "2.user.tmp", "half of what is being fetched");
  test::write(at.dir / "not ours" / "1.user.pcm", "other");
  at.store.set("done", {});
  at.store.set("live", {.status = SessionStatus::detached});
  at.begin();
  at.until([&] { return at.has("done/1.user.flac"); });
  // One attempt is worked on after the other: behind this one all have been looked at.
  at.store.set("later", {});
  REQUIRE(at.recordings.open("later", 1)->append(AudioTrack::user, test::mixed_bytes(1000)));
  at.until([&] {
    const auto counts = at.recordings.archive_counts();
    return counts.archived == 2 && counts.waiting == 1;
  });
  CHECK_FALSE(at.has("done/1.user.pcm"));
  CHECK_FALSE(at.has("done/1.assistant.tmp"));
  CHECK(at.has("done/2.user.tmp"));
  CHECK(at.has("live/1.user.pcm"));
  CHECK(at.has("unknown/1.user.pcm"));
  CHECK(at.has("not ours/1.user.pcm"));
  const auto counts = at.recordings.archive_counts();
  CHECK(counts.failed == 0);
  CHECK(counts.bytes_in == 101'000);
  CHECK(counts.bytes_out > 0);
}

TEST_CASE("a recording is archived when its files are closed", "[recording][P15]") {
  ArchiverFolder at(flac());
  at.store.set("s1", {});
  at.begin();
  at.io.run_for(std::chrono::milliseconds(1));
  REQUIRE(at.recordings.open("s1", 1)->append(AudioTrack::user, test::mixed_bytes(5000)));
  at.until([&] { return at.has("s1/1.user.flac"); });
}

TEST_CASE("without archive and keys nothing is changed, but what was begun is ended",
          "[recording][P12]") {
  ArchiverFolder at({});
  at.raw("s1", test::mixed_bytes(1000));
  at.raw("s2", test::mixed_bytes(1000));
  REQUIRE(recording::archive_track({at.dir.path(),
                                    {"s2", 1, AudioTrack::user},
                                    {audio::Format::flac, 24000},
                                    recording::MasterKeys()},
                                   [] { return false; }));
  at.raw("s2", test::mixed_bytes(1000));
  at.store.set("s1", {});
  at.store.set("s2", {});
  at.begin();
  at.until([&] { return !at.has("s2/1.user.pcm"); });
  CHECK(at.has("s1/1.user.pcm"));
  CHECK(at.has("s2/1.user.flac"));
}

TEST_CASE("a telephone call stays as it came, encrypted if there is a key", "[recording][P15]") {
  const bool encrypted = GENERATE(false, true);
  ArchiverFolder at(flac(), encrypted ? test::masters(test::key_a) : recording::MasterKeys());
  const transcript::AudioFormat pcmu{transcript::AudioEncoding::pcmu, 8000};
  at.raw("s1", test::mixed_bytes(8000));
  at.store.set("s1", {.format = pcmu});
  at.raw("s2", test::mixed_bytes(8000));
  at.store.set("s2", {});
  at.begin();
  at.until([&] { return !at.has("s2/1.user.pcm") && at.recordings.archive_counts().waiting == 0; });
  CHECK(at.has("s1/1.user.pcm") == !encrypted);
  CHECK(at.has("s1/1.user.sealed") == encrypted);
}

TEST_CASE("every export is the same before and after the archive", "[recording][P15]") {
  ArchiverFolder at(flac(),
                    GENERATE(false, true) ? test::masters(test::key_a) : recording::MasterKeys());
  at.raw("s1", test::mixed_bytes(400'000));
  test::write(at.dir / "s1" / "1.assistant.pcm", test::mixed_bytes(300'002));
  AudioTimeline::Runs runs{{AudioTrack::user, "", 0, -1, 0, {}},
                           {AudioTrack::user, "", 200'000, -1, 9'000, {}},
                           {AudioTrack::assistant, "a1", 0, 100'000, 5'000, {}},
                           {AudioTrack::assistant, "a2", 150'000, -1, 12'000, {}}};
  const auto exported = [&](const AudioExport& wanted) {
    const auto measured =
        at.answer<Recordings::Measured>([&](auto done) { at.recordings.measure("s1", 1, done); });
    REQUIRE(measured);
    CHECK_FALSE(measured->lossy);
    auto timeline = AudioTimeline::of(runs, measured->sizes, wanted);
    REQUIRE(timeline);
    const RecordedAudio audio{std::make_shared<const AudioTimeline>(*timeline), "s1", 1};
    std::string bytes;
    using Range = std::pair<std::uint64_t, std::size_t>;
    for (const Range& range :
         {Range{0, 5'000'000}, Range{44, 1}, Range{70'001, 3}, Range{600'000, 99'999}}) {
      const auto part = at.answer<std::optional<std::string>>(
          [&](auto done) { at.recordings.read(audio, range.first, range.second, done); });
      REQUIRE(part);
      bytes += *part;
    }
    const auto encoded = std::make_shared<RecordingExport>(
        at.recordings, at.recordings.permit_export(), audio, audio::Format::opus);
    for (bool last = false; !last;) {
      using Piece = std::optional<RecordingExport::Piece>;
      const auto piece = at.answer<Piece>([&](auto done) { encoded->next(done); });
      REQUIRE(piece);
      bytes += piece->bytes;
      last = piece->last;
    }
    return bytes;
  };
  const AudioExport ways[] = {{},
                              {AudioTrack::user, false, {}},
                              {AudioTrack::assistant, false, {}},
                              {{}, true, {}},
                              {{}, false, "a1"},
                              {AudioTrack::assistant, true, "a1"}};
  std::vector<std::string> before;
  for (const AudioExport& way : ways) before.push_back(exported(way));
  at.store.set("s1", {});
  at.begin();
  at.until([&] { return !at.has("s1/1.user.pcm") && !at.has("s1/1.assistant.pcm"); });
  for (std::size_t i = 0; i < before.size(); ++i) {
    CAPTURE(i);
    CHECK((exported(ways[i]) == before[i]));
  }
}

TEST_CASE("an archive that fails leaves the audio, is counted, and is tried again",
          "[recording][P6]") {
  ArchiverFolder at(flac());
  at.raw("s1", test::mixed_bytes(10'000));
  test::write(at.dir / "s1" / "1.user.tmp" / "in the way", "");
  at.store.set("s1", {});
  at.begin();
  at.until([&] { return at.recordings.archive_counts().failed >= 3; });
  CHECK(at.has("s1/1.user.pcm"));
  CHECK(at.recordings.archive_counts().waiting == 1);
  fs::remove_all(at.dir / "s1" / "1.user.tmp");
  at.until([&] { return !at.has("s1/1.user.pcm"); });
  CHECK(at.has("s1/1.user.flac"));
}

TEST_CASE("an erasure breaks off the archive of its session, and nothing is left",
          "[recording][erase][P10]") {
  ArchiverFolder at(flac(), test::masters(test::key_a));
  at.begin();
  at.io.run_for(std::chrono::milliseconds(1));
  for (int round = 0; round < 5; ++round) {
    const std::string id = "s" + std::to_string(round);
    at.raw(id, test::mixed_bytes(8'000'000));
    at.store.set(id, {});
    at.recordings.open(id, 1);  // its end announces the attempt
    at.until([&] { return at.has(id + "/1.user.tmp") || at.has(id + "/1.user.sealed"); });
    REQUIRE(at.answer<bool>([&](auto done) { at.recordings.erase(id, done); }));
    CHECK_FALSE(at.has(id));
    CHECK(test::open_below(at.dir / id) == 0);  // the disk has no byte of it
  }
  at.io.restart();
  at.io.run_for(std::chrono::milliseconds(20));
  CHECK(fs::is_empty(at.dir.path()));
}

TEST_CASE("an attempt that is archived takes no further audio", "[recording][P6][P14]") {
  ArchiverFolder at(flac());
  at.raw("s1", test::mixed_bytes(10'000));
  at.store.set("s1", {});
  at.begin();
  at.until([&] { return !at.has("s1/1.user.pcm"); });
  const auto sink = at.recordings.open("s1", 1);
  CHECK_FALSE(sink->append(AudioTrack::user, "ab"));
  CHECK(at.recordings.failures() == 1);
  CHECK_FALSE(at.has("s1/1.user.pcm"));
  CHECK(at.recordings.open("s1", 2)->append(AudioTrack::user, "ab"));
}

TEST_CASE("recording.delete_when removes the audio of a complete transcript, and no other",
          "[recording][P15]") {
  RecordingArchiver::Options options;
  options.delete_when_complete = true;
  ArchiverFolder at(options, test::masters(test::key_a));
  at.raw("complete", test::mixed_bytes(1000));
  at.raw("gaps", test::mixed_bytes(1000));
  at.store.set("complete", {.complete = true});
  at.store.set("gaps", {});
  at.raw("two", test::mixed_bytes(1000));
  test::write(at.dir / "two" / "2.user.pcm", test::mixed_bytes(1000));
  at.store.set("two", {.complete = true});
  at.begin();
  at.until([&] {
    return !at.has("complete") && at.has("gaps/1.user.sealed") && !at.has("two/1.user.pcm") &&
           at.recordings.archive_counts().waiting == 0;
  });
  CHECK(at.has("gaps/session.key"));
  CHECK(at.has("two/2.user.sealed"));  // the second attempt has no receipt
}
