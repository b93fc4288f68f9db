// FLAC: the samples without loss.
#pragma once

#include <memory>

#include "server/relay/audio/encoder.hpp"

namespace verbatim::audio {

std::unique_ptr<Encoder> make_flac_encoder(const Shape& shape);

}  // namespace verbatim::audio
