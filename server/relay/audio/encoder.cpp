#include "server/relay/audio/encoder.hpp"

#include "server/relay/audio/flac_encoder.hpp"
#include "server/relay/audio/opus_encoder.hpp"

namespace verbatim::audio {

std::unique_ptr<Encoder> make_encoder(Format format, const Shape& shape) {
  return format == Format::flac ? make_flac_encoder(shape) : make_opus_encoder(shape);
}

}  // namespace verbatim::audio
