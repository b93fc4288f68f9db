#include "server/relay/binary_audio_peer.hpp"

#include <algorithm>
#include <deque>
#include <iterator>
#include <utility>
#include <vector>

#include "session/protocol/audio_frame.hpp"
#include "session/protocol/envelope.hpp"

namespace verbatim::relay {

net::Awaitable<net::Received> BinaryAudioPeer::read() {
  net::Received got = co_await connection_->read();
  if (got.kind == net::Received::Kind::binary) {
    got.kind = net::Received::Kind::message;
    got.bytes = dialect_.append_audio(got.bytes);
    if (got.memory) got.memory->resize(got.bytes.size());
  }
  co_return got;
}

net::Sent BinaryAudioPeer::send(std::span<const net::Outgoing> events) {
  std::deque<std::string> made;  // a deque: its elements never move
  std::vector<net::Outgoing> converted;
  // This client would take a provider's binary frame for audio.
  std::copy_if(events.begin(), events.end(), std::back_inserter(converted),
               [](const net::Outgoing& event) { return event.frame == net::FrameType::text; });
  for (net::Outgoing& event : converted) {
    if (auto audio = protocol::audio_frame(*event.bytes, dialect_)) {
      event = {&made.emplace_back(std::move(*audio)), net::FrameType::binary};
    } else if (protocol::peek_type(*event.bytes) == "verbatim.session") {
      event.bytes = &made.emplace_back(protocol::with_audio_frames(*event.bytes));
    }
  }
  return connection_->send(converted);
}

}  // namespace verbatim::relay
