// The audio formats of the protocol, and the way between their bytes and samples. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace verbatim::simulator {

/// Mono. `rate` is in samples a second; G.711 has 8000.
struct AudioFormat {
  enum class Coding { linear, mu_law_8bit, a_law_8bit };

  Coding coding = Coding::linear;
  std::int64_t rate = 24'000;

  static const AudioFormat pcm16;  ///< 24 kHz, as OpenAI has it
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

/// From the protocol's names: audio/pcm, audio/pcmu, audio/pcma. `rate` is for the first of them.
std::optional<AudioFormat> audio_format_from_name(std::string_view name,
                                                  std::int64_t rate = 24'000);

/// Samples out of bytes; a last half sample is left out.
void decode_audio(AudioFormat format, std::string_view bytes, std::vector<std::int16_t>& samples);

/// Bytes out of samples at 24 kHz; for another rate the nearest earlier sample is taken.
std::string encode_audio(AudioFormat format, const std::vector<std::int16_t>& samples);

}  // namespace verbatim::simulator
