// The encoding of journal rows: round trips, damage, and earlier versions.
#include "storage/rows/event_codec.hpp"
#include "base/checksum.hpp"

#include <catch2/catch.hpp>

#include "tests/support/random_event.hpp"

using namespace verbatim;
using rows::decode_event;
using rows::encode_event;
using test::RandomEvents;

TEST_CASE("every kind of event comes back as it was", "[P1][codec]") {
  const std::size_t kind = GENERATE(range<std::size_t>(0, RandomEvents::kinds));
  RandomEvents events(static_cast<std::uint32_t>(kind) + 1);
  for (int i = 0; i < 200; ++i) {
    const transcript::Event event = events.make(kind);
    REQUIRE(event.body.index() == kind);
    const auto back = decode_event(encode_event(event));
    REQUIRE(back);
    REQUIRE((*back == event));
  }
}

TEST_CASE("a row with a flipped bit or a missing end is unreadable", "[P7][codec]") {
  RandomEvents events(7);
  for (std::size_t kind = 0; kind < RandomEvents::kinds; ++kind) {
    const std::string bytes = encode_event(events.make(kind));
    for (std::size_t bit = 0; bit < bytes.size() * 8; bit += 1 + bytes.size() / 16) {
      std::string damaged = bytes;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
      REQUIRE_FALSE(decode_event(damaged));
    }
    for (std::size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 32)
      REQUIRE_FALSE(decode_event(std::string_view(bytes).substr(0, size)));
    REQUIRE_FALSE(decode_event(bytes + '\0'));
  }
}

namespace {

std::string with_checksum(std::string content) {
  const std::uint32_t sum = checksum(content);
  for (std::size_t i = 0; i < 4; ++i) content.push_back(static_cast<char>(sum >> (8 * i)));
  return content;
}

}  // namespace

TEST_CASE("the bytes of a row are what FORMAT.md says", "[P7][codec]") {
  transcript::TextDelta delta;
  delta.item_id = "i1";
  delta.content_index = 1;
  delta.text = Text::from_wtf8("hey");
  delta.output_index = 2;
  // version, kind, id, item_id, response_id, content_index (zigzag), transcription, text,
  // output_index (zigzag), CRC-32
  const std::string content(
      "\x03\x05\x01"
      "e\x02"
      "i1\x00\x02\x00\x03"
      "hey\x04",
      15);
  const transcript::Event event{"e", delta};
  CHECK(encode_event(event) == with_checksum(content));
  CHECK(decode_event(with_checksum(content)) == event);
}

TEST_CASE("a journal of format version 1 can be read", "[P7][codec]") {
  using namespace transcript;
  const auto read = [](std::string content) {
    return decode_event(with_checksum(std::move(content)));
  };
  TextDelta delta;
  delta.item_id = "i1";
  delta.text = Text::from_wtf8("hey");
  CHECK(read(std::string("\x01\x05\x01"
                         "e\x02"
                         "i1\x00\x00\x00\x03"
                         "hey",
                         14)) == Event{"e", delta});
  ItemRequested asked;
  asked.client_event_id = "c1";
  asked.item.id = "u1";
  // kind 18: client_event_id, then the item: id, kind, role, status, parts, detail
  CHECK(read(std::string("\x01\x12\x00\x02"
                         "c1\x02"
                         "u1\x00\x00\x00\x00\x00",
                         14)) == Event{"", asked});
  CHECK_FALSE(read(std::string("\x04\x0c\x00", 3)));  // a later version
}

TEST_CASE("a journal of format version 2 can be read", "[P7][codec]") {
  using namespace transcript;
  const auto read = [](std::string content) {
    return decode_event(with_checksum(std::move(content)));
  };
  const ToolArguments arguments{"f1", "r1", "c1", "go", Text::from_wtf8("{}"), false, true};
  // kind 23: item_id, response_id, call_id, name, text, mcp, whole
  CHECK(read(std::string("\x02\x17\x00\x02"
                         "f1\x02"
                         "r1\x02"
                         "c1\x02"
                         "go\x02"
                         "{}\x00\x01",
                         20)) == Event{"", arguments});
  // kind 24: item_id, status
  CHECK(read(std::string("\x02\x18\x00\x02"
                         "m1\x01",
                         7)) == Event{"", ToolProgress{"m1", ToolStatus::completed}});
}
