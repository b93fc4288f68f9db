#include "server/relay/binary_audio_peer.hpp"

#include <algorithm>
#include <deque>
#include <iterator>
#include <utility>
#include <vector>

#include "session/protocol/audio_frame.hpp"
#include "session/protocol/envelope.hpp"

namespace verbatim::server {

Awaitable<Received> BinaryAudioPeer::read() {
  Received got = co_await connection_->read();
  if (got.kind == Received::Kind::binary) {
    got.kind = Received::Kind::message;
    got.bytes = dialect_.append_audio(got.bytes);
    if (got.memory) got.memory->resize(got.bytes.size());
  }
  co_return got;
}

Sent BinaryAudioPeer::send(std::span<const Outgoing> events) {
  std::deque<std::string> made;  // a deque: its elements never move
  std::vector<Outgoing> converted;
  // This client would take a provider's binary frame for audio.
  std::copy_if(events.begin(), events.end(), std::back_inserter(converted),
               [](const Outgoing& event) { return event.frame == Frame::text; });
  for (Outgoing& event : converted) {
    if (auto audio = session::audio_frame(*event.bytes, dialect_)) {
      event = {&made.emplace_back(std::move(*audio)), Frame::binary};
    } else if (session::peek_type(*event.bytes) == "verbatim.session") {
      event.bytes = &made.emplace_back(session::with_audio_frames(*event.bytes));
    }
  }
  return connection_->send(converted);
}

}  // namespace verbatim::server
