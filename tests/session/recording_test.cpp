// A session that is recorded: what reaches the files, and what the journal says of it.
#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/base64.hpp"
#include "tests/session/options.hpp"
#include "tests/session/stage.hpp"

using namespace verbatim;
using namespace verbatim::session;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

struct MemorySink final : AudioSink {
  std::int64_t begins_at(AudioTrack track) const override { return begins[track]; }
  bool append(AudioTrack track, std::string_view bytes) override {
    if (broken) return false;
    files[track] += bytes;
    return true;
  }
  mutable std::map<AudioTrack, std::int64_t> begins;
  std::map<AudioTrack, std::string> files;
  bool broken = false;
};

SessionOptions recorded(std::shared_ptr<AudioSink> sink) {
  SessionOptions options = usual_options();
  options.recording = std::move(sink);
  return options;
}

std::string appended(const std::string& bytes) {
  return R"({"type":"input_audio_buffer.append","audio":")" + base64(bytes) + R"("})";
}
std::string answered(const std::string& bytes, int number, const std::string& item = "a1") {
  return R"({"type":"response.output_audio.delta","event_id":"x)" + std::to_string(number) +
         R"(","response_id":"r1","item_id":")" + item +
         R"(","output_index":0,"content_index":0,"delta":")" + base64(bytes) + R"("})";
}
std::string second_of(char sample) { return std::string(48'000, sample); }

struct WithSink {
  std::shared_ptr<MemorySink> sink = std::make_shared<MemorySink>();
};

struct Recorded : WithSink, Stage {
  Recorded() : Stage(recorded(sink), true) { open(); }
  std::vector<AudioPlaced> runs() const {
    std::vector<AudioPlaced> found;
    for (const auto& row : journal.rows)
      if (const auto* run = std::get_if<AudioPlaced>(&row.event.body)) found.push_back(*run);
    return found;
  }
  /// The client gets all that may leave.
  void send_all() {
    journal.sync();
    while (session.to_client().ready(journal.synced)) {
      const auto message = session.take_for_client();
      if (session.awaits_recorded_audio() && message->kind == protocol::MessageKind::audio)
        session.recorded_audio_sent(message->received_us, clock);
    }
  }
};

}  // namespace

TEST_CASE("both speakers' samples are kept as they came, and the journal has a few runs of them",
          "[recording][P15]") {
  Recorded stage;
  std::string spoken;
  std::string heard;
  for (int i = 0; i < 100; ++i) {
    stage.pass(100);
    const std::string chunk(4800, static_cast<char>('a' + i % 26));
    stage.client(appended(chunk));
    spoken += chunk;
    stage.provider(answered(chunk, i));
    heard += chunk;
    stage.send_all();
  }
  CHECK(stage.sink->files[AudioTrack::user] == spoken);
  CHECK(stage.sink->files[AudioTrack::assistant] == heard);
  CHECK(stage.runs().size() <= 4);
  stage.session.end(CloseReason::client_ended, "", stage.clock);
  CHECK(stage.runs().size() <= 5);
  CHECK(stage.session.ended());
}

TEST_CASE("a repeated delta is recorded once", "[recording][P15]") {
  Recorded stage;
  stage.provider(answered("once", 1));
  stage.provider(answered("once", 1));
  CHECK(stage.sink->files[AudioTrack::assistant] == "once");
}

TEST_CASE("audio with escapes in its JSON is the same audio", "[recording][P15]") {
  Recorded stage;
  const std::string bytes = "\xFF\xFF\xFF\xFF";
  stage.client(R"({"type":"input_audio_buffer.append","audio":"\/\/\/\/\/w=="})");
  CHECK(stage.sink->files[AudioTrack::user] == bytes);
}

TEST_CASE("a session's formats reach the index", "[recording][P15]") {
  Recorded stage;
  stage.provider(
      R"({"type":"session.updated","event_id":"f1","session":{"type":"realtime","audio":)"
      R"({"input":{"format":{"type":"audio/pcmu"}},"output":{"format":{"type":"audio/pcma"}}}}})");
  stage.client(appended(std::string(800, 'x')));
  stage.provider(answered(std::string(800, 'x'), 1));
  stage.send_all();
  const auto runs = stage.runs();
  REQUIRE(runs.size() == 2);
  CHECK(runs[0].format == AudioFormat{AudioEncoding::pcmu, 8000});
  CHECK(runs[1].format == AudioFormat{AudioEncoding::pcma, 8000});
}

TEST_CASE("a file that fails ends the recording, and the conversation goes on", "[recording][P6]") {
  Recorded stage;
  stage.client(appended(second_of('x')));
  stage.sink->broken = true;
  stage.pass(1000);
  stage.client(appended(second_of('y')));
  stage.sink->broken = false;
  stage.client(appended(second_of('z')));
  stage.provider(answered("more", 1));
  CHECK_FALSE(stage.session.ended());
  CHECK(stage.sink->files[AudioTrack::user] == second_of('x'));
  CHECK(stage.sink->files[AudioTrack::assistant].empty());
  std::size_t ends = 0;
  for (const AudioPlaced& run : stage.runs()) ends += run.format.encoding == AudioEncoding::none;
  CHECK(ends == 2);
  CHECK(stage.drain_upstream().size() == 3);
}

TEST_CASE("speech that the client cut off is marked when the provider confirms it",
          "[recording][P15]") {
  Recorded stage;
  stage.provider(
      R"({"type":"conversation.item.added","event_id":"i1","previous_item_id":null,"item":)"
      R"({"id":"a1","type":"message","role":"assistant","status":"in_progress","content":[]}})");
  stage.provider(answered(second_of('x'), 1));
  stage.send_all();
  stage.provider(R"({"type":"conversation.item.truncated","event_id":"t1","item_id":"a1",)"
                 R"("content_index":0,"audio_end_ms":250})");
  const auto runs = stage.runs();
  REQUIRE(runs.size() == 2);
  CHECK(runs[0].bytes == -1);
  CHECK(runs[1].from == 0);
  CHECK(runs[1].bytes == 12'000);
}

TEST_CASE("an attempt that another process continues counts time from its beginning",
          "[recording][P14][P15]") {
  auto sink = std::make_shared<MemorySink>();
  sink->begins[AudioTrack::user] = 4800;
  MemoryJournal journal;
  const Moment now{1'000'000, 5'000};
  SessionIdentity identity{"sess_t", 7, 1, true, nullptr};
  identity.started_at = now.wall - 30'000;
  RealtimeSession session(identity, recorded(sink), journal, now);
  session.client_said({appended(std::string(4800, 'x')), 1, {}}, now);
  REQUIRE(journal.rows.size() == 1);
  const auto& run = std::get<AudioPlaced>(journal.rows[0].event.body);
  CHECK(run.from == 4800);
  CHECK(run.at_ms == 29'900);
}

TEST_CASE("a journal that takes nothing more ends a recorded session in order", "[recording][P6]") {
  Recorded stage;
  stage.journal.refuses = true;
  stage.client(appended(second_of('x')));
  CHECK(stage.session.ended());
  stage.client(appended(second_of('x')));
  CHECK(stage.sink->files[AudioTrack::user] == second_of('x'));
}

TEST_CASE("a session that is not recorded journals nothing of its audio", "[recording][P12]") {
  Stage stage;
  stage.open();
  const std::size_t before = stage.journal.rows.size();
  stage.client(appended(second_of('x')));
  stage.provider(answered(second_of('x'), 1));
  CHECK_FALSE(stage.session.awaits_recorded_audio());
  CHECK(stage.journal.rows.size() == before);
}
