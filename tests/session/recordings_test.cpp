// Every recorded stream gives its expected transcript.
#include <catch2/catch.hpp>

#include "base/json/tree.hpp"
#include "session/protocol/replay.hpp"
#include "tests/session/files.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

void compare(const Json& expected, const Turn& turn) {
  CHECK(to_string(turn.role) == expected.at("role").get<std::string>());
  CHECK(turn.item_id == expected.at("item_id").get<std::string>());
  CHECK(turn.text.utf8() == expected.at("text").get<std::string>());
  CHECK(to_string(turn.status) == expected.at("status").get<std::string>());
  CHECK(turn.deleted == expected.value("deleted", false));
  if (expected.contains("reason")) CHECK(turn.reason == expected["reason"].get<std::string>());
  REQUIRE(turn.heard.has_value() == expected.contains("heard"));
  if (turn.heard) {
    CHECK(turn.heard->audio_ms == expected["heard"]["audio_ms"].get<std::int64_t>());
    if (turn.heard->text) CHECK(turn.text.utf8().starts_with(turn.heard->text->utf8()));
  }
}

}  // namespace

TEST_CASE("every recorded stream gives the transcript written beside it", "[P4][P5][P13]") {
  const auto files = recordings();
  REQUIRE(files.size() >= 43);
  for (const auto& file : files) {
    DYNAMIC_SECTION(file.stem().string()) {
      INFO("recording " << file);
      const auto recording = read_recording(read_file(file));
      REQUIRE(recording.errors.empty());
      const auto view = replay(recording);
      auto path = file;
      const auto expected = Json::parse(read_file(path.replace_extension(".expected.json")));
      INFO("got " << render(view, Format::jsonl));
      REQUIRE(view.turns.size() == expected.at("turns").size());
      for (std::size_t i = 0; i < view.turns.size(); ++i) {
        INFO("turn " << i + 1);
        CHECK(view.turns[i].ordinal == static_cast<int>(i) + 1);
        compare(expected["turns"][i], view.turns[i]);
      }
    }
  }
}

TEST_CASE("a recording replays to the same bytes every time", "[P4]") {
  for (const auto& file : recordings()) {
    INFO("recording " << file);
    const auto bytes = read_file(file);
    CHECK(render(replay(read_recording(bytes)), Format::json) ==
          render(replay(read_recording(bytes)), Format::json));
  }
}

TEST_CASE("a recording with an absurd clock still renders", "[P11]") {
  std::string lines;
  for (const std::int64_t t_ms : {std::int64_t{-5}, INT64_MAX, std::int64_t{3}}) {
    lines +=
        write_recorded_event(t_ms, Direction::to_client,
                             R"({"type":"response.output_text.delta","item_id":"a","delta":"Hi"})");
  }
  const auto view = replay(read_recording(lines));
  REQUIRE(view.turns.size() == 1);
  for (const Format format : {Format::json, Format::vtt, Format::srt})
    CHECK(render(view, format).find("HiHiHi") != std::string::npos);
}
