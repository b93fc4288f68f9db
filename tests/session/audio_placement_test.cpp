// The place of recorded audio in time: by the sample clock, never by the arrival of its chunks.
#include "session/audio_placement.hpp"

#include <catch2/catch.hpp>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <utility>

using namespace verbatim;
using namespace verbatim::session;
using namespace verbatim::transcript;

namespace {

constexpr AudioFormat pcm{AudioEncoding::pcm16, 24000};
constexpr AudioFormat telephone{AudioEncoding::pcmu, 8000};
/// Bytes of PCM at 24 kHz.
constexpr std::int64_t bytes(std::int64_t ms) { return ms * 48; }

/// The index as the store keeps it: a later run replaces one with the same track, item and begin.
class Index {
 public:
  AudioPlacement& operator()() { return placement_; }
  explicit Index(std::int64_t user = 0, std::int64_t assistant = 0) : placement_(user, assistant) {}

  void keep(const AudioPlacement::Runs& runs) {
    changes_ += runs.size();
    for (const AudioPlaced& run : runs) runs_[{run.track, run.item_id, run.from}] = run;
  }
  /// `ms` of the user's audio in chunks of 100 ms. The first comes at `from_ms`, the others each
  /// `step_ms` later.
  void user(std::int64_t ms, std::int64_t from_ms, std::int64_t step_ms = 100) {
    for (std::int64_t sent = 0; sent < ms; sent += 100, from_ms += step_ms)
      keep(placement_.user_audio(bytes(100), pcm, from_ms));
  }
  /// `ms` of an answer in one chunk, which the client is sent at `sent_ms`.
  void answer(const std::string& item, std::int64_t ms, std::int64_t at_ms, std::int64_t sent_ms) {
    keep(placement_.answer_audio(item, bytes(ms), pcm, ++received_, true, at_ms));
    keep(placement_.sent(received_, sent_ms));
  }
  /// Milliseconds of the file -> milliseconds of the attempt.
  std::map<std::int64_t, std::int64_t> user_runs() const {
    std::map<std::int64_t, std::int64_t> found;
    for (const auto& [key, run] : runs_)
      if (run.track == AudioTrack::user && run.at_ms >= 0) found[run.from / bytes(1)] = run.at_ms;
    return found;
  }
  const AudioPlaced& run(const std::string& item, std::int64_t from_ms,
                         AudioTrack track = AudioTrack::assistant) const {
    const auto found = runs_.find({track, item, bytes(from_ms)});
    REQUIRE(found != runs_.end());
    return found->second;
  }
  /// Its begin, and how much of it was heard, in milliseconds; -1: all.
  std::pair<std::int64_t, std::int64_t> heard(const std::string& item, std::int64_t from_ms) const {
    const AudioPlaced& one = run(item, from_ms);
    return {one.at_ms, one.bytes < 0 ? one.bytes : one.bytes / bytes(1)};
  }
  std::size_t size() const { return runs_.size(); }
  std::size_t changes() const { return changes_; }

 private:
  AudioPlacement placement_;
  std::map<std::tuple<AudioTrack, std::string, std::int64_t>, AudioPlaced> runs_;
  std::size_t changes_ = 0;
  std::int64_t received_ = 0;
};

using Runs = std::map<std::int64_t, std::int64_t>;
using BeginAndHeard = std::pair<std::int64_t, std::int64_t>;

}  // namespace

TEST_CASE("a user's audio that comes in time is one run, and not an event for each chunk",
          "[recording][P15]") {
  Index index;
  index.user(60'000, 400);  // the first chunk was spoken from 300 on
  index.keep(index().finish());
  CHECK(index.user_runs() == Runs{{0, 300}});
  CHECK(index.changes() <= 2);
}

TEST_CASE("a stall that a burst makes up for does not make the user's audio longer",
          "[recording][P15]") {
  Index index;
  index.user(1000, 100);
  index.user(1900, 2900, 0);  // 1.8 s late, all at once
  index.user(3000, 3000);
  index.keep(index().finish());
  CHECK(index.user_runs() == Runs{{0, 0}, {1000, 1000}});
}

TEST_CASE("a client that sends nothing leaves a gap, and not silence in the file",
          "[recording][P15]") {
  Index index;
  index.user(1000, 100);
  index.user(3000, 6100);  // 5 s later
  index.keep(index().finish());
  CHECK(index.user_runs() == Runs{{0, 0}, {1000, 6000}});
  index.user(1000, 11'100);
  index.keep(index().finish());
  CHECK(index.user_runs() == Runs{{0, 0}, {1000, 6000}, {4000, 11'000}});
}

TEST_CASE("jitter below the least gap moves nothing, and a gap is the least lateness that follows",
          "[recording][P15]") {
  Index index;
  for (int i = 0; i < 40; ++i)
    index.keep(index().user_audio(bytes(100), pcm, 100 * (i + 1) + (i % 2) * 50));
  CHECK(index.user_runs() == Runs{{0, 0}});
  // After 300 ms of silence the chunks are late by 300 to 350 ms.
  for (int i = 40; i < 80; ++i)
    index.keep(index().user_audio(bytes(100), pcm, 100 * (i + 1) + 300 + (i + 1) % 2 * 50));
  CHECK(index.user_runs() == Runs{{0, 0}, {4000, 4300}});
}

TEST_CASE("pauses that follow each other are each a gap, from the first word on",
          "[recording][P15]") {
  Index index;
  index.user(300, 300, 0);  // a word comes when it has been said
  index.user(300, 1000, 0);
  index.user(300, 1700, 0);
  index.user(300, 2400, 0);
  index.keep(index().finish());
  CHECK(index.user_runs() == Runs{{0, 0}, {300, 700}, {600, 1400}, {900, 2100}});
}

TEST_CASE("a burst makes up for the last of two stalls, or for both", "[recording][P15]") {
  Index index;
  index.user(100, 100);
  index.user(100, 600);      // 400 ms of silence, then speech
  index.user(100, 1000);     // stalled for 300 ms
  index.user(300, 1000, 0);  // caught up
  index.user(100, 1100);
  SECTION("the last") {
    index.keep(index().finish());
    CHECK(index.user_runs().at(100) == 500);
    CHECK((!index.user_runs().contains(200) || index.user_runs().at(200) == 600));
  }
  SECTION("both") {
    index.user(400, 1100, 0);
    index.keep(index().finish());
    for (const auto& [from, at] : index.user_runs()) CHECK(at == from);
  }
}

TEST_CASE("a long gap is in the index before it is certain, so that a killed process has it",
          "[recording][P15]") {
  Index index;
  index.user(1000, 100);
  index.user(100, 6100);
  CHECK(index.user_runs() == Runs{{0, 0}, {1000, 6000}});
}

TEST_CASE("a changed format begins a run where the one before ends", "[recording][P15]") {
  Index index;
  index.user(1000, 100);
  index.keep(index().user_audio(800, telephone, 1100));  // 100 ms
  index.keep(index().finish());
  CHECK(index.run({}, 1000, AudioTrack::user).format == telephone);
  CHECK(index.user_runs() == Runs{{0, 0}, {1000, 1000}});
}

TEST_CASE("an answer begins when it is sent and runs at its own rate, however fast it came",
          "[recording][P15]") {
  Index index;
  index.answer("a", 2000, 1000, 1010);
  for (int i = 0; i < 20; ++i) index.answer("a", 400, 1100, 1100);  // 8 s more in one moment
  CHECK(index.heard("a", 0) == BeginAndHeard{1010, -1});
  CHECK(index.size() == 1);
  index.answer("b", 1000, 5000, 5000);  // the first one is still played
  CHECK(index.heard("b", 10'000) == BeginAndHeard{11'010, -1});
  index.answer("c", 1000, 20'000, 20'004);
  CHECK(index.heard("c", 11'000) == BeginAndHeard{20'004, -1});
  CHECK(index.changes() == 3);
}

TEST_CASE("a person who interrupts hears only what the client reports, and the next answer follows",
          "[recording][P15]") {
  Index index;
  index.answer("a", 10'000, 1000, 1000);
  index.keep(index().truncated("a", 1500));
  CHECK(index.heard("a", 0) == BeginAndHeard{1000, 1500});
  index.answer("a", 500, 2600, 2600);  // was under way
  CHECK(index.heard("a", 10'000).second == 0);
  index.answer("b", 1000, 3000, 3000);
  CHECK(index.heard("b", 10'500) == BeginAndHeard{3000, -1});
}

TEST_CASE("a cut of an answer before the one that is played leaves the later one alone",
          "[recording][P15]") {
  Index index;
  index.answer("a", 1000, 0, 0);
  index.answer("b", 1000, 0, 0);
  index.keep(index().truncated("a", 600));
  CHECK(index.heard("a", 0) == BeginAndHeard{0, 600});
  CHECK(index.heard("b", 1000) == BeginAndHeard{1000, -1});
}

TEST_CASE("a cut reaches into the run that it names, also if the player ran dry before",
          "[recording][P15]") {
  Index index;
  index.answer("a", 1000, 0, 0);
  index.answer("a", 1000, 3000, 3000);  // the provider was slow: a pause of 2 s
  CHECK(index.heard("a", 1000) == BeginAndHeard{3000, -1});
  index.keep(index().truncated("a", 1400));
  CHECK(index.heard("a", 0) == BeginAndHeard{0, -1});
  CHECK(index.heard("a", 1000) == BeginAndHeard{3000, 400});
}

TEST_CASE("a cut with a number that no audio has is bounded", "[recording][P15]") {
  for (const std::int64_t end_ms : {INT64_MIN, std::int64_t{-1}, std::int64_t{0}}) {
    Index index;
    index.answer("a", 1000, 0, 0);
    index.keep(index().truncated("a", end_ms));
    CHECK(index.heard("a", 0) == BeginAndHeard{0, 0});
  }
  Index index;
  index.answer("a", 1000, 0, 0);
  index.keep(index().truncated("a", INT64_MAX));
  CHECK(index.heard("a", 0) == BeginAndHeard{0, 1000});
}

TEST_CASE("audio that no client was sent is not heard; what a returning client gets is",
          "[recording][P15]") {
  Index index;
  index.answer("a", 1000, 0, 0);
  index().break_answer();
  index.keep(index().answer_audio("a", bytes(1000), pcm, 7, false, 500));
  CHECK(index().awaits_sending());
  CHECK(index.heard("a", 1000).second == 0);  // if the process ends here
  SECTION("it comes back for it") {
    index.keep(index().sent(7, 4000));
    CHECK(index.heard("a", 1000) == BeginAndHeard{4000, -1});
  }
  SECTION("it comes back too late for it") {
    index.keep(index().skip_unsent());
    index.answer("b", 1000, 4000, 4000);
    CHECK(index.heard("b", 2000) == BeginAndHeard{4000, -1});
  }
  SECTION("it does not come back") { index.keep(index().finish()); }
  CHECK_FALSE(index().awaits_sending());
  CHECK(index.heard("a", 0) == BeginAndHeard{0, -1});
}

TEST_CASE("many answers that no client takes are bounded in memory, and each is in the index",
          "[recording][P11][P15]") {
  Index index;
  for (int i = 0; i < 1000; ++i)
    index.keep(index().answer_audio("i" + std::to_string(i), bytes(10), pcm, i + 1, true, 0));
  index.keep(index().finish());
  CHECK(index.size() == 1000);
  for (int i = 0; i < 1000; ++i) CHECK(index.heard("i" + std::to_string(i), 10 * i).second == 0);
}

TEST_CASE("an utterance is cut out by the provider's own clock", "[recording][P15]") {
  Index index;
  index.user(3000, 100);
  index().speech_started("u", 400);
  index.keep(index().speech_stopped("u", 1900));
  index.keep(index().committed("u"));
  const AudioPlaced expected{AudioTrack::user, "u", bytes(400), bytes(1500), -1, pcm};
  CHECK(index.run("u", 400, AudioTrack::user) == expected);
  CHECK(index.size() == 2);
}

TEST_CASE("the clock of another connection begins with the audio that it gets",
          "[recording][P15]") {
  Index index;
  index.user(3000, 100);
  index().upstream_opened();
  index.user(2000, 3100);
  index().speech_started("u", 500);
  index.keep(index().speech_stopped("u", 1500));
  CHECK(index.run("u", 3500, AudioTrack::user).bytes == bytes(1000));
}

TEST_CASE("without a detector of speech an utterance is what was committed", "[recording][P15]") {
  Index index;
  index.user(1000, 100);
  index().cleared();  // the person pressed the button by mistake
  index.user(1000, 1100);
  index.keep(index().committed("u"));
  index.user(500, 2100);
  index.keep(index().committed("v"));
  CHECK(index.run("u", 1000, AudioTrack::user).bytes == bytes(1000));
  CHECK(index.run("v", 2000, AudioTrack::user).bytes == bytes(500));
  index.keep(index().committed("nothing"));
  CHECK(index.size() == 3);
}

TEST_CASE("a recording that another process continues goes on behind what is there",
          "[recording][P14][P15]") {
  Index index(bytes(5000), bytes(7000));
  index.user(1000, 9100);
  index().speech_started("u", 200);
  index.keep(index().speech_stopped("u", 800));
  index.answer("a", 1000, 9500, 9500);
  index.keep(index().finish());
  CHECK(index.user_runs() == Runs{{5000, 9000}});
  CHECK(index.run("u", 5200, AudioTrack::user).bytes == bytes(600));
  CHECK(index.heard("a", 7000) == BeginAndHeard{9500, -1});
}
