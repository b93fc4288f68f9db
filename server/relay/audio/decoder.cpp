#include "server/relay/audio/decoder.hpp"

#include "server/relay/audio/flac_decoder.hpp"
#include "server/relay/audio/opus_decoder.hpp"

namespace verbatim::audio {

std::unique_ptr<Decoder> make_decoder(Format format, ByteSource& source) {
  return format == Format::flac ? make_flac_decoder(source) : make_opus_decoder(source);
}

}  // namespace verbatim::audio
