// Audio without Base64: a binary frame is another encoding of one event.
#include "session/protocol/audio_frame.hpp"
#include "base/json/tree.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "base/base64.hpp"

using namespace verbatim;
using namespace verbatim::protocol;

namespace {

std::string delta(const std::string& audio, const char* type = "response.output_audio.delta") {
  std::string base64;
  encode_base64(audio, base64);
  return Json{{"type", type},      {"event_id", "e1"},   {"response_id", "r1"}, {"item_id", "i1"},
              {"output_index", 0}, {"content_index", 0}, {"delta", base64}}
      .dump();
}

}  // namespace

TEST_CASE("base64 is encoded and decoded, and other text is refused", "[audio]") {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    std::string text;
    encode_base64(bytes, text);
    std::string back;
    REQUIRE(decode_base64(text, back));
    REQUIRE(back == bytes);
    bytes += static_cast<char>(i * 7);
  }
  std::string text;
  encode_base64("Mann", text);
  CHECK(text == "TWFubg==");
  for (const char* bad : {"A", "AA", "AAA", "A===", "====", "AA=A", "A\nAA", "AAA\xff"}) {
    std::string out;
    INFO(bad);
    CHECK_FALSE(decode_base64(bad, out));
  }
}

TEST_CASE("a client's audio frame is one append event", "[P9][audio]") {
  for (std::size_t size : {0, 1, 2, 3, 4, 4800}) {
    std::string audio;
    for (std::size_t i = 0; i < size; ++i) audio += static_cast<char>(i * 11);
    const auto event = Json::parse(default_provider_dialect().append_audio(audio));
    CHECK(event["type"] == "input_audio_buffer.append");
    std::string back;
    REQUIRE(decode_base64(event["audio"].get<std::string>(), back));
    CHECK(back == audio);
    CHECK(event.size() == 2);
  }
}

TEST_CASE("an audio delta's frame holds the same event and the same audio", "[P5][audio]") {
  const std::string audio("\x00\xff\x7f\x80\"\\", 6);
  for (const char* type : {"response.output_audio.delta", "response.audio.delta"}) {
    const std::string event = delta(audio, type);
    const auto frame = audio_frame(event);
    REQUIRE(frame);
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>((*frame)[at]); };
    const std::size_t head = byte(0) * 256u + byte(1);
    auto said = Json::parse(frame->substr(2, head));
    CHECK_FALSE(said.contains("delta"));
    CHECK(frame->substr(2 + head) == audio);
    auto whole = Json::parse(event);
    whole.erase("delta");
    CHECK(said == whole);
  }
}

TEST_CASE("an event that a frame cannot hold is sent as text", "[P5][audio]") {
  const std::string long_head(70'000, 'x');
  for (const std::string& event :
       {std::string(R"({"type":"response.output_text.delta","delta":"AAAA"})"),
        std::string(R"({"type":"response.output_audio.delta"})"),
        std::string(R"({"type":"response.output_audio.delta","delta":7})"),
        std::string(R"({"type":"response.output_audio.delta","delta":"not base 64"})"),
        std::string(R"({"type":"response.output_audio.delta","delta":"AAAA","delta":"AAAA"})"),
        R"({"type":"response.output_audio.delta","delta":"AAAA","more":")" + long_head + "\"}",
        std::string("nonsense")}) {
    INFO(event.substr(0, 80));
    CHECK_FALSE(audio_frame(event));
  }
}

TEST_CASE("only session.created announces binary audio", "[P9][audio]") {
  const auto received = with_audio_frames(R"({"type":"verbatim.session","attempt":1})");
  CHECK(Json::parse(received) ==
        Json({{"type", "verbatim.session"}, {"attempt", 1}, {"audio", "binary"}}));
  CHECK(with_audio_frames(R"({"type":"verbatim.turn"})") == R"({"type":"verbatim.turn"})");
}
