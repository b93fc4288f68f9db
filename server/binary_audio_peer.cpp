#include "server/binary_audio_peer.hpp"

#include "session/audio_frame.hpp"
#include "session/protocol.hpp"

namespace verbatim::server {

Awaitable<Received> BinaryAudioPeer::read() {
  Received got = co_await connection_->read();
  if (got.kind == Received::Kind::binary) {
    got.kind = Received::Kind::message;
    got.bytes = session::append_event(got.bytes);
  }
  co_return got;
}

Awaitable<error_code> BinaryAudioPeer::write(const std::string& bytes, Frame frame) {
  if (const auto audio = session::audio_frame(bytes)) {
    co_return co_await connection_->write(*audio, Frame::binary);
  }
  if (session::peek_type(bytes) == "verbatim.session") {
    const std::string told = session::with_audio_frames(bytes);
    co_return co_await connection_->write(told, frame);
  }
  co_return co_await connection_->write(bytes, frame);
}

}  // namespace verbatim::server
