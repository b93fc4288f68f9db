// How long a client waits for the first audio of an answer: what is measured, and where it is kept.
#include "session/first_audio.hpp"

#include <catch2/catch.hpp>

#include "tests/session/options.hpp"
#include "tests/session/stage.hpp"

using namespace verbatim;
using namespace verbatim::session;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

constexpr const char* speech_stopped =
    R"({"type":"input_audio_buffer.speech_stopped","event_id":"e23","item_id":"u1",)"
    R"("audio_end_ms":900})";
constexpr const char* request = R"({"type":"response.create"})";

std::string begun(const std::string& id) {
  return R"({"type":"response.created","event_id":"b)" + id + R"(","response":{"id":")" + id +
         R"(","conversation_id":"conv_1","status":"in_progress","output":[]}})";
}
std::string audio_chunk(const std::string& id, int number) {
  return R"({"type":"response.output_audio.delta","event_id":"x)" + std::to_string(number) +
         R"(","response_id":")" + id +
         R"(","item_id":"a1","output_index":0,"content_index":0,"delta":"AAAA"})";
}
std::string response_ended(const std::string& id) {
  return R"({"type":"response.done","event_id":"d)" + id + R"(","response":{"id":")" + id +
         R"(","conversation_id":"conv_1","status":"completed","output":[]}})";
}

/// A stage whose messages have times, and whose client's messages leave when the test says so.
struct Timed : Stage {
  Timed() { open(); }
  void says(std::int64_t at_us, std::string bytes) {
    session.upstream_said(upstream, {std::move(bytes), at_us, {}}, clock);
  }
  void asks(std::int64_t at_us) { session.client_said({request, at_us, {}}, clock); }
  /// Sends all that may leave at this time. Returns the waits that were measured.
  std::vector<std::int64_t> sends(std::int64_t at_us) {
    std::vector<std::int64_t> waits;
    journal.sync();
    while (session.to_client().ready(journal.synced)) {
      const auto message = session.take_for_client();
      if (!session.awaits_first_audio()) continue;
      if (const auto wait = session.audio_sent(message->received_us, at_us)) waits.push_back(*wait);
    }
    return waits;
  }
  /// Of the rows in the journal.
  std::vector<transcript::FirstAudio> kept() const {
    std::vector<transcript::FirstAudio> found;
    for (const auto& row : journal.rows)
      if (const auto* wait = std::get_if<transcript::FirstAudio>(&row.event.body))
        found.push_back(*wait);
    return found;
  }
};

using Waits = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("the wait for an answer is from the end of speech to its first audio, once for each",
          "[first_audio]") {
  Timed stage;
  stage.says(1'000, speech_started);
  stage.says(10'000, speech_stopped);
  stage.says(11'000, begun("r1"));
  CHECK(stage.sends(12'000).empty());
  stage.says(300'000, audio_chunk("r1", 1));
  stage.says(301'000, audio_chunk("r1", 2));
  CHECK(stage.sends(420'000) == Waits{410'000});
  stage.says(430'000, audio_chunk("r1", 3));
  CHECK(stage.sends(440'000).empty());
  CHECK(stage.kept().empty());
  stage.says(450'000, response_ended("r1"));
  CHECK(stage.kept() == std::vector<transcript::FirstAudio>{{"r1", 410}});
}

TEST_CASE("a client's request for an answer begins the wait again", "[first_audio]") {
  Timed stage;
  stage.says(10'000, speech_stopped);
  stage.asks(50'000);
  stage.says(60'000, begun("r1"));
  stage.says(70'000, audio_chunk("r1", 1));
  CHECK(stage.sends(80'000) == Waits{30'000});
}

TEST_CASE("an answer without a request, and late audio of another one, are not measured",
          "[first_audio]") {
  Timed stage;
  stage.says(10'000, begun("r1"));
  stage.says(20'000, audio_chunk("r1", 1));
  CHECK(stage.sends(30'000).empty());
  stage.says(40'000, speech_stopped);
  stage.says(50'000, begun("r2"));
  stage.says(60'000, audio_chunk("r1", 2));  // talked over: the rest of the first answer
  CHECK(stage.sends(70'000).empty());
  stage.says(80'000, audio_chunk("r2", 3));
  CHECK(stage.sends(90'000) == Waits{50'000});
}

TEST_CASE("audio for a client that is away is not measured", "[first_audio][P8]") {
  SessionOptions options = usual_options();
  options.resume_window_ms = 60'000;
  Stage stage(std::move(options));
  stage.open();
  const auto says = [&](std::int64_t at_us, std::string bytes) {
    stage.session.upstream_said(stage.upstream, {std::move(bytes), at_us, {}}, stage.clock);
  };
  says(10'000, speech_stopped);
  says(20'000, begun("r1"));
  stage.session.client_gone({false, 0, "gone"}, stage.clock);
  REQUIRE(stage.session.detached());
  says(30'000, audio_chunk("r1", 1));
  CHECK_FALSE(stage.session.audio_sent(30'000, 900'000));
}

TEST_CASE("the final record has the waits, also that of an answer which never ended",
          "[first_audio][usage]") {
  Timed stage;
  stage.says(10'000, speech_stopped);
  stage.says(20'000, begun("r1"));
  stage.says(30'000, audio_chunk("r1", 1));
  stage.sends(40'000);
  stage.session.end(CloseReason::client_ended, "over", stage.clock);
  const std::string& usage = stage.journal.endings.back().transcript.usage_json;
  CHECK(usage.find(R"({"verbatim_first_audio":{"ms":30,"response_id":"r1"}})") !=
        std::string::npos);
  CHECK(usage.find(R"({"verbatim_provider":{"session_id":"sess_p"}})") != std::string::npos);
  CHECK(sum_usage(usage) == Usage{.output_audio_ms = sum_usage(usage).output_audio_ms});
}

TEST_CASE("a stored wait belongs to the first turn of its answer alone", "[first_audio]") {
  std::vector<Turn> turns(3);
  turns[0].response_id = "r1";
  turns[1].response_id = turns[2].response_id = "r2";
  add_first_audio(turns, R"([{"total_tokens":7},)" + first_audio("r2", 412) + "]");
  CHECK_FALSE(turns[0].first_audio_ms);
  CHECK(turns[1].first_audio_ms == 412);
  CHECK_FALSE(turns[2].first_audio_ms);
}

TEST_CASE("only the first audio of an answer hurries the text before it", "[first_audio][pacing]") {
  Timed stage;
  stage.asks(1'000);
  stage.says(2'000, begun("r1"));
  CHECK(stage.journal.hurried_at.empty());
  const auto before = stage.journal.submitted;
  stage.says(3'000, audio_chunk("r1", 1));
  stage.says(4'000, audio_chunk("r1", 2));
  CHECK(stage.journal.hurried_at == std::vector<transcript::Sequence>{before});
}
