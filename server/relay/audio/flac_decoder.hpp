// Decodes FLAC with 16 bits and one channel.
#pragma once

#include <memory>

#include "server/relay/audio/decoder.hpp"

namespace verbatim::audio {

std::unique_ptr<Decoder> make_flac_decoder(ByteSource& source);

}  // namespace verbatim::audio
