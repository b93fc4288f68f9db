// Small values: text, names, ids, close codes, recordings, renderings.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/json/tree.hpp"
#include "session/protocol/recording.hpp"
#include "session/transcript/render/render.hpp"
#include "tests/session/transcript/stream.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

TranscriptView sample() {
  TranscriptView view;
  view.session_id = "sess_1";
  view.attempt = 2;
  view.status = SessionStatus::final;
  view.started_at = 1'763'934'651'123;
  view.ended_at = 1'763'934'661'123;
  view.close_reason = CloseReason::client_lost;
  view.gaps = {{"item_3", GapKind::failed_transcription, 0}};
  view.writers = {"relay"};
  MergedTurn user;
  user.writers = {"relay"};
  user.ordinal = 1;
  user.item_id = "item_1";
  user.role = Role::user;
  user.status = TurnStatus::completed;
  user.text = text(" Hi <b>&\n\n1. -->*you*\n");
  user.started_at = *view.started_at + 1000;
  user.ended_at = *view.started_at + 2500;
  MergedTurn answer = user;
  answer.ordinal = 2;
  answer.item_id = "item_2";
  answer.role = Role::assistant;
  answer.status = TurnStatus::truncated;
  answer.text = text("One two\xED\xA0\xBD");
  answer.heard = Heard{300, text("One")};
  answer.response_id = "resp_1";
  answer.reason = "why";
  answer.deleted = true;
  answer.started_at = *view.started_at + 3'600'000;
  answer.ended_at = std::nullopt;
  view.turns = {user, answer};
  return view;
}

}  // namespace

TEST_CASE("a text gives back the bytes it was made of", "[text]") {
  const std::string bytes = "a\xC3\xA9\xED\xA0\xBD\xF0\x9F\x98\x80";
  CHECK(text(bytes).wtf8() == bytes);
  CHECK(text(bytes).size_bytes() == bytes.size());
  CHECK(text("").empty());
}

TEST_CASE("two halves join only where one ends and the other begins", "[rule10][text]") {
  Text joined = text("\xED\xA0\xBD");
  joined.append(text("\xED\xB8\x80 x"));
  CHECK(joined.wtf8() == "\xF0\x9F\x98\x80 x");
  Text wrong = text("\xED\xB8\x80");
  wrong.append(text("\xED\xA0\xBD"));
  CHECK(wrong.utf8() == "\xEF\xBF\xBD\xEF\xBF\xBD");
  Text doubled = text("\xED\xB8\x80-\xED\xA0\xBD");
  doubled.append(doubled);
  CHECK(doubled.wtf8() == "\xED\xB8\x80-\xF0\x9F\x98\x80-\xED\xA0\xBD");
}

TEST_CASE("every pair of surrogates makes its character", "[rule10][text]") {
  for (std::uint32_t code = 0x10000; code <= 0x10FFFF; code += 257) {
    const std::uint32_t high = 0xD800 + ((code - 0x10000) >> 10);
    const std::uint32_t low = 0xDC00 + ((code - 0x10000) & 0x3FF);
    const auto half = [](std::uint32_t unit) {
      return text({static_cast<char>(0xED), static_cast<char>(0x80 | (unit >> 6 & 0x3F)),
                   static_cast<char>(0x80 | (unit & 0x3F))});
    };
    Text joined = half(high);
    joined.append(half(low));
    const std::string expected = {
        static_cast<char>(0xF0 | code >> 18), static_cast<char>(0x80 | (code >> 12 & 0x3F)),
        static_cast<char>(0x80 | (code >> 6 & 0x3F)), static_cast<char>(0x80 | (code & 0x3F))};
    REQUIRE(joined.wtf8() == expected);
    REQUIRE(joined.utf8() == expected);
  }
}

TEST_CASE("names read back as the same values", "[values]") {
  for (int i = 0; i < 4; ++i) {
    CHECK(role_from_string(to_string(static_cast<Role>(i))) == static_cast<Role>(i));
    CHECK(session_status_from_string(to_string(static_cast<SessionStatus>(i))) ==
          static_cast<SessionStatus>(i));
  }
  for (int i = 0; i < 6; ++i)
    CHECK(turn_status_from_string(to_string(static_cast<TurnStatus>(i))) ==
          static_cast<TurnStatus>(i));
  for (int i = 0; i < 3; ++i)
    CHECK(gap_kind_from_string(to_string(static_cast<GapKind>(i))) == static_cast<GapKind>(i));
  std::set<std::string_view> names;
  for (const CloseReasonRow& row : close_reasons) {
    CHECK(close_reason_from_string(to_string(row.reason)) == row.reason);
    names.insert(row.name);
  }
  CHECK(names.size() == close_reason_count);
  CHECK(names.count("") == 0);
  CHECK_FALSE(close_reason_from_string("nonsense"));
  CHECK_FALSE(role_from_string(""));
  CHECK(to_string(static_cast<TurnStatus>(99)) == "unknown");
}

TEST_CASE("each close reason has the number, name, code and error event of the interface",
          "[P2][values]") {
  struct Expected {
    int number;
    std::string_view name;
    int code;
    bool error_event;
  };
  constexpr Expected expected[] = {
      {1, "client_closed", 1000, false},    {2, "client_lost", 1001, false},
      {3, "client_ended", 1000, false},     {4, "upstream_closed", 1000, false},
      {5, "upstream_lost", 1011, true},     {6, "upstream_error", 1011, true},
      {7, "session_expired", 4001, false},  {8, "idle_timeout", 4001, true},
      {9, "max_duration", 4001, true},      {10, "slow_client", 1013, false},
      {11, "policy", 1008, true},           {12, "server_shutdown", 1012, false},
      {13, "crash_recovered", 1011, false}, {14, "storage_failure", 1011, true},
      {15, "replaced", 4000, false},        {16, "operator", 1000, false},
  };
  CHECK(std::size(expected) == close_reason_count);
  for (const Expected& one : expected) {
    INFO(one.name);
    const auto reason = static_cast<CloseReason>(one.number);
    CHECK(to_string(reason) == one.name);
    CHECK(close_code(reason) == one.code);
    CHECK(deserves_error_event(reason) == one.error_event);
    const bool leaves = one.name == "client_closed" || one.name == "client_lost";
    CHECK(detail_from_client(reason) == leaves);
  }
}

TEST_CASE("a close reason that a newer store holds has no name and ends as an internal error",
          "[P7][values]") {
  for (const int number : {0, static_cast<int>(close_reason_count) + 1, 255}) {
    INFO(number);
    const auto reason = static_cast<CloseReason>(number);
    CHECK(to_string(reason) == "unknown");
    CHECK(close_code(reason) == 1011);
    CHECK_FALSE(deserves_error_event(reason));
    CHECK_FALSE(detail_from_client(reason));
  }
}

TEST_CASE(
    "the documentation has each close reason, its code and whether an error event precedes it",
    "[values]") {
  const auto docs = std::filesystem::path(VERBATIM_CONFIG).parent_path() / "docs";
  std::ifstream file(docs / "resume.md");
  REQUIRE(file);
  std::vector<std::string> documented;
  bool in_section = false;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("## ", 0) == 0) in_section = line == "## Close reasons";
    // | `name` | code | yes or no | meaning |
    if (!in_section || line.rfind("| `", 0) != 0) continue;
    std::size_t end = 0;
    for (int bar = 0; bar < 3; ++bar) end = line.find(" | ", end + 1);
    documented.push_back(line.substr(2, end - 2));
  }
  std::vector<std::string> expected;
  for (const CloseReasonRow& row : close_reasons)
    expected.push_back("`" + std::string(row.name) + "` | " + std::to_string(row.close_code) +
                       " | " + (row.error_event ? "yes" : "no"));
  CHECK(documented == expected);
}

TEST_CASE("made ids sort by time and carry all of their random bits", "[values]") {
  const unsigned char zeros[10] = {};
  unsigned char ones[10];
  std::fill(std::begin(ones), std::end(ones), static_cast<unsigned char>(0xFF));
  CHECK(make_sortable_id("sess_", 0, zeros) == "sess_00000000000000000000000000");
  CHECK(make_sortable_id("", 0xFFFF'FFFF'FFFF, ones) == "7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
  CHECK(make_sortable_id("", 1, zeros) > make_sortable_id("", 0, ones));
  std::set<std::string> seen;
  for (int bit = 0; bit < 80; ++bit) {
    unsigned char random[10] = {};
    random[bit / 8] = static_cast<unsigned char>(1 << bit % 8);
    seen.insert(make_sortable_id("", 0, random));
  }
  CHECK(seen.size() == 80);
}

TEST_CASE("a session id is short and plain", "[values]") {
  CHECK(is_valid_session_id("sess_1:a.b-C"));
  CHECK(is_valid_session_id(std::string(128, 'a')));
  for (const std::string& bad :
       {std::string(), std::string(129, 'a'), std::string("a b"), std::string("a/b"),
        std::string("\xC3\xA9"), std::string("a\n"), std::string("a\0b", 3)}) {
    CHECK_FALSE(is_valid_session_id(bad));
  }
}

// ---- recordings ----------------------------------------------------------------------------

TEST_CASE("a recorded event keeps its bytes", "[recording]") {
  const std::string event = R"({ "type" : "x", "n": 1.50, "s":"\u0041\ud83d" })";
  const auto line = write_recorded_event(12, Direction::to_server, event);
  const auto recording = read_recording(line + "\n" + line);
  REQUIRE(recording.errors.empty());
  REQUIRE(recording.events.size() == 2);
  CHECK(recording.events[1].event == event);
  CHECK(recording.events[1].t_ms == 12);
  CHECK(recording.events[1].direction == Direction::to_server);
  const auto without_time = read_recording(write_recorded_event({}, Direction::to_client, "{}"));
  REQUIRE(without_time.events.size() == 1);
  CHECK_FALSE(without_time.events[0].t_ms);
}

TEST_CASE("a bad line of a recording is skipped and named, the rest is kept", "[recording]") {
  const auto recording = read_recording(
      "{\"dir\":\"s2c\",\"event\":{}}\r\n"
      "\n"
      "{broken\n"
      "[]\n"
      "{\"dir\":\"up\",\"event\":{}}\n"
      "{\"dir\":\"s2c\",\"event\":7}\n"
      "{\"dir\":\"s2c\",\"t_ms\":\"1\",\"event\":{}}\n"
      "{\"dir\":\"c2s\",\"t_ms\":3,\"event\":{}}");
  CHECK(recording.events.size() == 2);
  std::vector<std::size_t> lines;
  for (const auto& error : recording.errors) lines.push_back(error.line);
  CHECK(lines == std::vector<std::size_t>{3, 4, 5, 6, 7});
}

// ---- renderings ----------------------------------------------------------------------------

TEST_CASE("times are written as the interface has them", "[render]") {
  CHECK(iso_time(1'763'934'651'123) == "2025-11-23T21:50:51.123Z");
  CHECK(iso_time(0) == "1970-01-01T00:00:00.000Z");
  CHECK(iso_time(-1) == "1969-12-31T23:59:59.999Z");
  CHECK(iso_time(951'782'400'000) == "2000-02-29T00:00:00.000Z");
  CHECK(iso_time(INT64_MAX) == "9999-12-31T23:59:59.999Z");
  CHECK(iso_time(INT64_MIN) == "0000-01-01T00:00:00.000Z");
}

TEST_CASE("a transcript as JSON has the interface's fields, and no others", "[render]") {
  const auto json = Json::parse(render(sample(), Format::json));
  CHECK(json == Json::parse(R"({"session_id":"sess_1","attempt":2,"status":"final",
    "ended_at":"2025-11-23T21:51:01.123Z","close_reason":"client_lost","complete":false,
    "gaps":[{"item_id":"item_3","kind":"failed_transcription"}],"writers":["relay"],
    "receipt":null,"turns":[
    {"ordinal":1,"item_id":"item_1","role":"user","status":"completed",
     "text":" Hi <b>&\n\n1. -->*you*\n","started_at":"2025-11-23T21:50:52.123Z",
     "ended_at":"2025-11-23T21:50:53.623Z","heard":null,"writers":["relay"],"response_id":null},
    {"ordinal":2,"item_id":"item_2","role":"assistant","status":"truncated","text":"One two\ufffd",
     "started_at":"2025-11-23T22:50:51.123Z","ended_at":null,
     "heard":{"audio_ms":300,"text":"One"},"writers":["relay"],"response_id":"resp_1",
     "reason":"why","deleted":true}],"tool_calls":[]})"));
}

TEST_CASE("a transcript as JSON lines has a turn a line", "[render]") {
  const auto view = sample();
  const auto lines = render(view, Format::jsonl);
  const auto all = Json::parse(render(view, Format::json));
  const auto end = lines.find('\n');
  CHECK(Json::parse(lines.substr(0, end)) == all["turns"][0]);
  CHECK(Json::parse(lines.substr(end)) == all["turns"][1]);
}

TEST_CASE("ids that are not UTF-8 do not break the JSON", "[P11][render]") {
  auto view = sample();
  view.turns[0].item_id = "\xED\xA0\xBD";
  CHECK(Json::accept(render(view, Format::json)));
}

TEST_CASE("a transcript as text is for reading", "[render]") {
  CHECK(render(sample(), Format::text) ==
        "User: Hi <b>&\n    \n    1. -->*you*\n"
        "Assistant [truncated, why, heard 300 ms, deleted]: One two\xEF\xBF\xBD\n"
        "[missing: failed_transcription (item_3)]\n");
}

TEST_CASE("spoken text never becomes markup", "[render]") {
  const auto page = render(sample(), Format::markdown);
  CHECK(page.find("**User:** Hi \\<b\\>\\&  \n  \n1\\. --\\>\\*you\\*\n") != std::string::npos);
  CHECK(page.find("_(truncated, why, heard 300 ms, deleted)_") != std::string::npos);
}

TEST_CASE("captions have a cue a turn, on the session's clock", "[render]") {
  CHECK(render(sample(), Format::vtt) ==
        "WEBVTT\n\n"
        "00:00:01.000 --> 00:00:02.500\n<v User> Hi &lt;b&gt;&amp;\n1. --&gt;*you*\n\n"
        "01:00:00.000 --> 01:00:00.300\n<v Assistant>One two\xEF\xBF\xBD\n");
  CHECK(render(sample(), Format::srt) ==
        "1\n00:00:01,000 --> 00:00:02,500\nUser:  Hi <b>&\n1. -- >*you*\n\n"
        "2\n01:00:00,000 --> 01:00:00,300\nAssistant: One two\xEF\xBF\xBD\n");
}

TEST_CASE("captions of a conversation in another order than its clock never run backwards",
          "[P4][render]") {
  auto view = sample();
  std::swap(view.turns[0], view.turns[1]);
  CHECK(render(view, Format::srt).find("2\n01:00:00,000 --> 01:00:01,500\nUser") !=
        std::string::npos);
}

TEST_CASE("every format has a name and a type, and renders an empty transcript", "[render]") {
  for (const char* name : {"json", "jsonl", "text", "markdown", "vtt", "srt"}) {
    const auto format = format_from_string(name);
    REQUIRE(format);
    CHECK_FALSE(content_type(*format).empty());
    render(TranscriptView{}, *format);
  }
  CHECK_FALSE(format_from_string("pdf"));
}
