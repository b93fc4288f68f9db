// Encodes 16-bit PCM piece by piece, so that the whole is never in memory.
//
// Any thread, one at a time. Errors are values.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace verbatim::audio {

enum class Format { flac, opus };

/// The form of the samples.
struct Shape {
  int rate = 24000;  ///< samples a second, of each channel
  int channels = 1;
  std::uint64_t frames = 0;  ///< of the whole; a frame has one sample of each channel
};

class Encoder {
 public:
  virtual ~Encoder() = default;
  /// Encodes whole frames: 16-bit little-endian samples, those of one frame side by side. Appends
  /// the bytes that are ready to `out`, often none. False: the encoder has failed.
  virtual bool encode(std::string_view frames, std::string& out) = 0;
  /// Encodes the end. Nothing follows.
  virtual bool finish(std::string& out) = 0;
};

/// Null: the library has no encoder for this shape, or no memory for one. Equal input gives equal
/// bytes.
std::unique_ptr<Encoder> make_encoder(Format format, const Shape& shape);

}  // namespace verbatim::audio
