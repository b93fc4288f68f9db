// The audio formats of the protocol. Converts between their bytes and samples. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace verbatim::simulator {

/// Mono. `rate` is in samples per second; G.711 has 8000.
struct AudioFormat {
  enum class Coding { linear, mu_law_8bit, a_law_8bit };

  Coding coding = Coding::linear;
  std::int64_t rate = 24'000;

  static const AudioFormat pcm16;  ///< 24 kHz, as OpenAI uses it
  static const AudioFormat mu_law;
  static const AudioFormat a_law;

  constexpr std::int64_t bytes_per_sample() const { return coding == Coding::linear ? 2 : 1; }
  constexpr std::int64_t bytes_in(std::int64_t ms) const {
    return ms * rate / 1000 * bytes_per_sample();
  }
  constexpr std::int64_t ms_in(std::int64_t bytes) const {
    return bytes / bytes_per_sample() * 1000 / rate;
  }
  friend bool operator==(const AudioFormat&, const AudioFormat&) = default;
};

inline constexpr AudioFormat AudioFormat::pcm16{};
inline constexpr AudioFormat AudioFormat::mu_law{Coding::mu_law_8bit, 8000};
inline constexpr AudioFormat AudioFormat::a_law{Coding::a_law_8bit, 8000};

/// Maps the protocol's names audio/pcm, audio/pcmu and audio/pcma. `rate` applies to audio/pcm.
std::optional<AudioFormat> audio_format_from_name(std::string_view name,
                                                  std::int64_t rate = 24'000);

/// Decodes bytes to samples. Drops an incomplete last sample.
void decode_audio(AudioFormat format, std::string_view bytes, std::vector<std::int16_t>& samples);

/// Encodes samples at 24 kHz. For another rate it takes the nearest earlier sample.
std::string encode_audio(AudioFormat format, const std::vector<std::int16_t>& samples);

}  // namespace verbatim::simulator
