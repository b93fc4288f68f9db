// The client's most frequent message: microphone audio. Pure; any thread.
#pragma once

#include <string_view>

#include "session/protocol/envelope.hpp"

namespace verbatim::simulator {

inline bool is_audio_append(std::string_view message) {
  return protocol::peek_type(message) == "input_audio_buffer.append";
}

}  // namespace verbatim::simulator
