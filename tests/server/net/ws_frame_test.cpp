// Frames are encoded and decoded: whole, in pieces, and against the rules.
#include "server/net/ws_frame.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace verbatim;
using namespace verbatim::net;
using Kind = FrameReader::Kind;

namespace {

constexpr std::size_t enough = 1 << 20;

std::string frame(WsRole sender, Opcode opcode, const std::string& payload,
                  unsigned key = 0x12345678) {
  const FrameHead head = frame_head(sender, opcode, payload.size(), key);
  std::string bytes(head.bytes.data(), head.size);
  std::string body = payload;
  if (sender == WsRole::client) apply_mask(body.data(), body.data(), body.size(), key, 0);
  return bytes + body;
}

/// The whole result when the input comes in pieces of this size.
std::vector<FrameReader::Frame> read_frames(WsRole sender, const std::string& bytes,
                                            std::size_t piece) {
  FrameReader reader(sender, enough);
  std::vector<FrameReader::Frame> frames;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    std::string_view input = std::string_view(bytes).substr(at, piece);
    while (!input.empty()) {
      auto one = reader.take(input);
      if (one.kind == Kind::nothing) continue;
      frames.push_back(one);
      if (one.kind == Kind::broken) return frames;
    }
  }
  return frames;
}

std::string close_payload(unsigned code, const std::string& reason) {
  return std::string{static_cast<char>(code >> 8), static_cast<char>(code & 255)} + reason;
}

}  // namespace

TEST_CASE("messages of every length of length arrive as they were sent, in pieces of any size",
          "[P9][websocket]") {
  for (const WsRole sender : {WsRole::client, WsRole::server}) {
    std::string all;
    std::vector<std::string> sent;
    for (const std::size_t size : {0, 1, 7, 8, 125, 126, 127, 65'535, 65'536, 70'001}) {
      sent.emplace_back(size, 'a');
      for (std::size_t i = 0; i < size; ++i) sent.back()[i] = static_cast<char>('a' + i % 26);
      all += frame(sender, Opcode::text, sent.back());
    }
    for (const std::size_t piece :
         {std::size_t{1}, std::size_t{3}, std::size_t{1000}, all.size()}) {
      const auto frames = read_frames(sender, all, piece);
      REQUIRE(frames.size() == sent.size());
      for (std::size_t i = 0; i < sent.size(); ++i) {
        CHECK(frames[i].kind == Kind::text);
        CHECK(frames[i].bytes == sent[i]);
      }
    }
  }
}

TEST_CASE("a mask covers every byte, wherever the piece begins", "[websocket]") {
  const std::string words = "every word is kept, even if the connection that it came by is lost";
  const std::string plain = words + words + words;  // more than two blocks of the masking loop
  for (std::size_t size = 0; size <= plain.size(); ++size) {
    for (std::size_t begin = 0; begin < 4; ++begin) {
      std::string masked(size, '\0');
      apply_mask(masked.data(), plain.data(), size, 0xA1B2C3D4, begin);
      for (std::size_t i = 0; i < size; ++i) {
        const auto key = static_cast<char>(0xA1B2C3D4U >> 8 * ((begin + i) % 4));
        REQUIRE(masked[i] == static_cast<char>(plain[i] ^ key));
      }
    }
  }
}

TEST_CASE("control frames between the parts of a message are given out, the message after them",
          "[websocket]") {
  std::string first = frame(WsRole::client, Opcode::text, "to");
  first[0] = static_cast<char>(1);  // not the last
  const std::string all = first + frame(WsRole::client, Opcode::ping, "here?") +
                          frame(WsRole::client, Opcode::continuation, "gether") +
                          frame(WsRole::client, Opcode::close, close_payload(1001, "leaving"));
  for (const std::size_t piece : {std::size_t{1}, all.size()}) {
    const auto frames = read_frames(WsRole::client, all, piece);
    REQUIRE(frames.size() == 3);
    CHECK(frames[0].kind == Kind::ping);
    CHECK(frames[0].bytes == "here?");
    CHECK(frames[1].kind == Kind::text);
    CHECK(frames[1].bytes == "together");
    CHECK(frames[2].kind == Kind::close);
    CHECK(frames[2].code == 1001);
    CHECK(frames[2].bytes == "leaving");
  }
}

TEST_CASE("a message over the limit is refused by its head, whole or in parts",
          "[P11][websocket]") {
  FrameReader reader(WsRole::server, 10);
  std::string first = frame(WsRole::server, Opcode::text, "123456");
  first[0] = static_cast<char>(1);
  std::string head = frame(WsRole::server, Opcode::continuation, std::string(5, 'x')).substr(0, 2);
  std::string_view input = first;
  CHECK(reader.take(input).kind == Kind::nothing);
  input = head;
  const auto refused = reader.take(input);
  CHECK(refused.kind == Kind::too_big);
}

TEST_CASE("a message over the limit is skipped, and the next one is read", "[P11][websocket]") {
  const std::string over(11, 'x');
  const std::string all = frame(WsRole::server, Opcode::text, over) +
                          frame(WsRole::server, Opcode::text, "0123456789") +
                          frame(WsRole::server, Opcode::ping, "here?") +
                          frame(WsRole::server, Opcode::text, over) +
                          frame(WsRole::server, Opcode::close, close_payload(1000, ""));
  for (std::size_t piece = 1; piece <= all.size(); ++piece) {
    FrameReader reader(WsRole::server, 10);
    std::vector<Kind> kinds;
    for (std::size_t at = 0; at < all.size(); at += piece) {
      std::string_view input = std::string_view(all).substr(at, piece);
      while (!input.empty()) {
        const auto one = reader.take(input);
        if (one.kind == Kind::text) CHECK(one.bytes == "0123456789");
        if (one.kind != Kind::nothing) kinds.push_back(one.kind);
      }
    }
    INFO("pieces of " << piece);
    CHECK(kinds == std::vector{Kind::too_big, Kind::text, Kind::ping, Kind::too_big, Kind::close});
  }
}

TEST_CASE("fragments count together, and the rest of a message that is too large is skipped",
          "[P11][websocket]") {
  const auto part = [](Opcode opcode, const std::string& bytes, bool last) {
    std::string made = frame(WsRole::server, opcode, bytes);
    if (!last) made[0] = static_cast<char>(opcode);
    return made;
  };
  const std::string fits =
      part(Opcode::text, "01234", false) + part(Opcode::continuation, "56789", true);
  const std::string over =
      part(Opcode::binary, "01234", false) + part(Opcode::continuation, "567890", false) +
      part(Opcode::continuation, "more", false) + part(Opcode::continuation, "", true);
  FrameReader reader(WsRole::server, 10);
  const std::string all = fits + over + fits;
  std::string_view input = all;
  CHECK(reader.take(input).bytes == "0123456789");
  CHECK(reader.take(input).kind == Kind::too_big);
  const auto next = reader.take(input);
  CHECK(next.kind == Kind::text);
  CHECK(next.bytes == "0123456789");
}

TEST_CASE("once messages are skipped, only control frames are given out", "[P11][websocket]") {
  FrameReader reader(WsRole::server, 10);
  const std::string begun = frame(WsRole::server, Opcode::text, "12345").substr(0, 4);
  std::string_view input = begun;
  CHECK(reader.take(input).kind == Kind::nothing);
  reader.skip_messages();
  const std::string rest = frame(WsRole::server, Opcode::text, "12345").substr(4) +
                           frame(WsRole::server, Opcode::text, std::string(11, 'x')) +
                           frame(WsRole::server, Opcode::close, close_payload(1000, ""));
  input = rest;
  CHECK(reader.take(input).kind == Kind::close);
  CHECK(input.empty());
}

TEST_CASE("frames against the rules are refused with the right code", "[P11][websocket]") {
  const std::string half_a_character = "\"\xF0\x9F";
  const std::vector<std::pair<std::string, unsigned>> wrong{
      {frame(WsRole::server, Opcode::text, "{}"), 1002},                   // no mask
      {"\xC1\x80" + std::string(4, '\0'), 1002},                           // reserved bit
      {"\x83\x80" + std::string(4, '\0'), 1002},                           // unknown
      {frame(WsRole::client, Opcode::ping, std::string(126, 'x')), 1002},  // long control frame
      {frame(WsRole::client, Opcode::continuation, "x"), 1002},            // no message to continue
      {frame(WsRole::client, Opcode::close, "x"), 1002},                   // half a code
      {frame(WsRole::client, Opcode::close, close_payload(1005, "")), 1002},  // must not be sent
      {frame(WsRole::client, Opcode::close, close_payload(1000, "\xC3\x28")), 1007},
      {std::string("\x81\xFE\0\x05", 4) + std::string(9, '\0'), 1002},  // not the shortest
      {frame(WsRole::client, Opcode::text, half_a_character), 1007},
  };
  for (const auto& [bytes, code] : wrong) {
    const auto frames = read_frames(WsRole::client, bytes, bytes.size());
    INFO("code " << code << " for " << bytes.size() << " bytes");
    REQUIRE(frames.size() == 1);
    CHECK(frames[0].kind == Kind::broken);
    CHECK(frames[0].code == code);
  }
}
