// WebVTT and SubRip: when a cue begins and ends, and what it may contain.
#include <catch2/catch.hpp>

#include "session/protocol/replay.hpp"
#include "session/transcript/render/render.hpp"
#include "tests/session/transcript/stream.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

MergedTurn turn_at(Role role, TimeMs from, TimeMs to, std::string words) {
  MergedTurn turn;
  turn.role = role;
  turn.status = TurnStatus::completed;
  turn.text = text(std::move(words));
  turn.started_at = from;
  turn.ended_at = to;
  return turn;
}

TranscriptView view_of(std::vector<MergedTurn> turns) {
  TranscriptView view;
  view.started_at = 0;
  view.turns = std::move(turns);
  for (std::size_t i = 0; i < view.turns.size(); ++i)
    view.turns[i].ordinal = static_cast<int>(i) + 1;
  return view;
}

/// The lines with times, without the hour.
std::vector<std::string> times_of(const TranscriptView& view) {
  const std::string file = render(view, Format::vtt);
  std::vector<std::string> found;
  for (std::size_t at = file.find(" --> "); at != file.npos; at = file.find(" --> ", at + 1))
    found.push_back(file.substr(at - 9, 9) + " " + file.substr(at + 8, 9));
  return found;
}

using Times = std::vector<std::string>;

}  // namespace

TEST_CASE("the cue of a spoken answer lasts as long as its audio", "[captions]") {
  auto answer = turn_at(Role::assistant, 1000, 3400, "Twelve seconds.");
  answer.audio_ms = 12'000;
  CHECK(times_of(view_of({answer})) == Times{"00:01.000 00:13.000"});
  answer.audio_ms = 500;
  CHECK(times_of(view_of({answer})) == Times{"00:01.000 00:01.500"});
}

TEST_CASE("the cue of an answer ends with the heard part", "[captions][P5]") {
  auto answer = turn_at(Role::assistant, 1000, 3000, "One two three.");
  answer.status = TurnStatus::truncated;
  answer.audio_ms = 12'000;
  answer.heard = Heard{2500, text("One")};
  CHECK(times_of(view_of({answer})) == Times{"00:01.000 00:03.500"});
  answer.audio_ms = 0;  // as in older conversations
  answer.ended_at = 60'000;
  CHECK(times_of(view_of({answer})) == Times{"00:01.000 00:03.500"});
  answer.heard = Heard{0, text("")};
  CHECK(times_of(view_of({answer})) == Times{"00:01.000 00:01.040"});
}

TEST_CASE("a cue ends where the same speaker's next one begins, and not where another's does",
          "[captions]") {
  auto first = turn_at(Role::assistant, 1000, 2000, "First.");
  first.audio_ms = 30'000;
  auto second = turn_at(Role::assistant, 11'000, 12'000, "Second.");
  second.audio_ms = 4000;
  const auto user = turn_at(Role::user, 5000, 7000, "Wait.");
  CHECK(times_of(view_of({first, user, second})) ==
        Times{"00:01.000 00:11.000", "00:05.000 00:07.000", "00:11.000 00:15.000"});
}

TEST_CASE("turns of one moment have cues one after another, each with some length", "[captions]") {
  std::vector<MergedTurn> turns;
  for (int i = 0; i < 4; ++i) turns.push_back(turn_at(Role::user, 500, 500, "Typed."));
  CHECK(times_of(view_of(turns)) == Times{"00:00.500 00:00.540", "00:00.540 00:00.580",
                                          "00:00.580 00:00.620", "00:00.620 00:01.620"});
}

TEST_CASE("a turn that began before the one in front of it does not turn the clock back",
          "[captions]") {
  const auto times = times_of(view_of({turn_at(Role::assistant, 9000, 9500, "Later."),
                                       turn_at(Role::user, 2000, 3000, "Earlier.")}));
  CHECK(times == Times{"00:09.000 00:10.000", "00:09.000 00:10.000"});
}

TEST_CASE("times that make no sense still give cues that end after they begin", "[captions]") {
  auto backwards = turn_at(Role::user, 5000, 1000, "Backwards.");
  auto endless = turn_at(Role::assistant, 6000, 6000, "Endless.");
  endless.audio_ms = INT64_MAX;
  auto heard_before = turn_at(Role::system, 7000, 7000, "Heard before it began.");
  heard_before.heard = Heard{INT64_MIN, std::nullopt};
  const auto times = times_of(view_of({backwards, endless, heard_before}));
  CHECK(times.at(0) == "00:05.000 00:06.000");
  CHECK(times.at(2) == "00:07.000 00:07.040");
}

TEST_CASE("characters that some readers take for a line end or end of file are replaced",
          "[captions]") {
  const std::string words(
      "a\0b\x01"
      "c\x7F"
      "d\xC2\x80"
      "e\vf\fg\xC2\x85h\xE2\x80\xA8i\xE2\x80\xA9j\rk\r\nl\tm\n\n\n\xC2\xA0\n\xE3\x80\x80 "
      "\n\xEF\xBB\xBF\nn",
      48);
  const auto view = view_of({turn_at(Role::user, 0, 0, words)});
  const std::string lines = "a b c d e\nf\ng\nh\ni\nj\nk\nl\tm\nn\n";
  CHECK(render(view, Format::srt) == "1\n00:00:00,000 --> 00:00:01,000\nUser: " + lines);
  CHECK(render(view, Format::vtt) == "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n<v User>" + lines);
}

TEST_CASE("characters beside those that end lines stay as they are", "[captions]") {
  const std::string words =
      "\xE2\x80\x9Cquoted\xE2\x80\x9D \xC2\xA9 \xE2\x80\xA7 \xD7\xA9 "
      "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0"
      "\x9F\x91\xA9 na\xC3\xAFve";
  CHECK(render(view_of({turn_at(Role::user, 0, 0, words)}), Format::srt).find(words) !=
        std::string::npos);
}

TEST_CASE("an arrow in the text is not taken for a line with times", "[captions]") {
  for (const char* words :
       {"a --> b", "00:00:01,000 --> 00:00:02,000", "---->", "-->-->", "--\x01>", "<b> & -->"}) {
    INFO(words);
    const auto view = view_of({turn_at(Role::user, 0, 0, words)});
    for (const Format format : {Format::srt, Format::vtt}) {
      const std::string file = render(view, format);
      CHECK(file.find("-->") == file.rfind("-->"));
    }
  }
  CHECK(
      render(view_of({turn_at(Role::user, 0, 0, "a --> b")}), Format::srt).ends_with("a -- > b\n"));
}

TEST_CASE("a turn without words, or with nothing that can be seen, has no cue", "[captions]") {
  for (const char* words : {"", " ", "\n\n", "\x01\x02", "\xC2\xA0\xE3\x80\x80", "\xE2\x80\xA8"}) {
    const auto view =
        view_of({turn_at(Role::user, 0, 0, words), turn_at(Role::assistant, 2000, 2000, "Seen.")});
    CHECK(render(view, Format::srt) == "1\n00:00:02,000 --> 00:00:03,000\nAssistant: Seen.\n");
  }
}

TEST_CASE("captions show no tool calls", "[captions][tools]") {
  auto view = view_of({turn_at(Role::user, 0, 0, "Weather?")});
  const std::string without = render(view, Format::srt);
  ToolCall call;
  call.after = 1;
  call.name = "weather";
  view.tool_calls = {call};
  CHECK(render(view, Format::srt) == without);
}

TEST_CASE("an answer's audio is a sum over its parts, unchanged by repeated events", "[captions]") {
  Stream stream(begun_answer());
  stream.then({says("a1", "Hi"), audio_ms("a1", 1500), audio_ms("a1", 500, 1)});
  const auto unrecorded = stream.transcript.unrecorded_audio();
  CHECK(unrecorded == std::vector<AnswerAudio>{{"a1", 2000}});
  CHECK(stream.turn("a1").audio_ms == 0);  // the journal does not have it yet
  stream.then({unrecorded[0], unrecorded[0]});
  CHECK(stream.turn("a1").audio_ms == 2000);
  CHECK(stream.transcript.unrecorded_audio().empty());
  stream.then({AnswerAudio{"a1", 100}});  // from a later process that received less
  CHECK(stream.turn("a1").audio_ms == 2000);
}

TEST_CASE("a replayed recording has cues as long as its audio", "[captions]") {
  const std::string second(64'000, 'A');  // base64 of 48,000 bytes: a second
  const auto line = [](int ms, const std::string& event) {
    return write_recorded_event(ms, Direction::to_client, event);
  };
  std::string lines = line(0, R"({"type":"session.created","session":{"id":"sess_1"}})");
  lines += line(100, R"({"type":"response.output_audio_transcript.delta","item_id":"a",)"
                     R"("response_id":"r","delta":"Hi"})");
  for (int i = 0; i < 3; ++i)
    lines += line(200, R"({"type":"response.output_audio.delta","item_id":"a","response_id":"r",)"
                       R"("delta":")" +
                           second + "\"}");
  CHECK(times_of(replay(read_recording(lines))) == Times{"00:00.100 00:03.100"});
}
