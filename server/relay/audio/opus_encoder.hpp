// Ogg Opus: small files for players.
#pragma once

#include <memory>

#include "server/relay/audio/encoder.hpp"

namespace verbatim::audio {

std::unique_ptr<Encoder> make_opus_encoder(const Shape& shape);

}  // namespace verbatim::audio
