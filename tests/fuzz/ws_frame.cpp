// Any bytes as a peer's WebSocket frames: the result does not depend on where they were cut.
#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "server/net/ws_frame.hpp"
#include "tests/fuzz/demand.hpp"

using namespace verbatim;
using namespace verbatim::net;

namespace {

constexpr std::size_t message_bytes_max = 2048;

std::vector<FrameReader::Frame> read(WsRole peer, std::string_view bytes, std::size_t piece) {
  FrameReader reader(peer, message_bytes_max);
  std::vector<FrameReader::Frame> frames;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    std::string_view input = bytes.substr(0, piece);
    while (!input.empty()) {
      auto one = reader.take(input);
      if (one.kind == FrameReader::Kind::nothing) continue;
      demand(one.bytes.size() <= message_bytes_max);
      frames.push_back(std::move(one));
      if (frames.back().kind == FrameReader::Kind::broken) return frames;
    }
  }
  return frames;
}

}  // namespace

// The first byte: whose frames they are, and where they are cut.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const WsRole peer = data[0] & 1 ? WsRole::client : WsRole::server;
  const auto whole = read(peer, bytes, size);
  const auto cut = read(peer, bytes, 1 + (data[0] >> 1) % 16);
  demand(whole.size() == cut.size());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    demand(whole[i].kind == cut[i].kind);
    demand(whole[i].code == cut[i].code);
    demand(whole[i].bytes == cut[i].bytes);
  }
  return 0;
}
