// Decodes Ogg Opus with one channel, at the rate of the samples that were encoded.
#pragma once

#include <memory>

#include "server/relay/audio/decoder.hpp"

namespace verbatim::audio {

std::unique_ptr<Decoder> make_opus_decoder(ByteSource& source);

}  // namespace verbatim::audio
