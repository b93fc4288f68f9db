// The boundaries of frames in bytes that come in any pieces.
#include "server/fleet/peers/frame_tracker.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "server/net/ws_frame.hpp"

using namespace verbatim;
using peers::FrameTracker;

namespace {

std::string frame_of_size(net::WsRole from, net::Opcode opcode, std::size_t size) {
  const auto head = net::frame_head(from, opcode, size, 0x01020304);
  return std::string(head.bytes.data(), head.size) + std::string(size, '\x88');
}

}  // namespace

TEST_CASE("the tracker knows each boundary between frames, however the bytes are divided",
          "[fleet][peers][P14]") {
  std::mt19937 random(18);
  for (int round = 0; round < 200; ++round) {
    std::string bytes;
    std::vector<bool> boundary{true};
    const int frames = static_cast<int>(random() % 8) + 1;
    for (int i = 0; i < frames; ++i) {
      const std::size_t sizes[] = {0, 1, 125, 126, 127, 300, 65'535, 65'536, 70'000};
      const auto from = random() % 2 == 0 ? net::WsRole::server : net::WsRole::client;
      bytes += frame_of_size(from, random() % 5 == 0 ? net::Opcode::ping : net::Opcode::text,
                             random() % 5 == 0 ? random() % 126 : sizes[random() % 9]);
      boundary.resize(bytes.size() + 1, false);
      boundary.back() = true;
    }
    FrameTracker tracker;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t part =
          std::min<std::size_t>(random() % 3 == 0 ? 1 : random() % 40'000 + 1, bytes.size() - at);
      tracker.take(std::string_view(bytes).substr(at, part));
      at += part;
      if (tracker.between_frames() != boundary[at]) FAIL("at byte " << at << " of round " << round);
    }
    CHECK(tracker.between_frames());
    CHECK_FALSE(tracker.closed());
    tracker.take(frame_of_size(net::WsRole::server, net::Opcode::close, 2));
    CHECK(tracker.closed());
  }
}
