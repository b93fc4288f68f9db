// Decodes FLAC and Ogg Opus with one channel, from any sample on. A read that follows the one
// before goes on from there, so that a whole file is decoded once.
//
// Any thread, one at a time. Errors are values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "server/relay/audio/byte_source.hpp"
#include "server/relay/audio/encoder.hpp"

namespace verbatim::audio {

class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual int rate() const = 0;
  /// Samples of the whole, as the file announces them.
  virtual std::uint64_t samples() const = 0;
  /// Samples from number `first` on, 16-bit little-endian, fewer at the end. Equal calls give equal
  /// bytes, in any order of the calls. nullopt: the file is damaged, or cannot be read; the decoder
  /// is of no more use.
  virtual std::optional<std::string> read(std::uint64_t first, std::size_t count) = 0;
};

/// Null: this is no such file, or no memory is left. `source` says why if it cannot be read.
std::unique_ptr<Decoder> make_decoder(Format format, ByteSource& source);

/// Whether Opus keeps the number of samples of this rate.
bool opus_keeps_rate(int rate);

}  // namespace verbatim::audio
