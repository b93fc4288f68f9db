// The three audio formats of the protocol, and the way between their bytes and samples. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace verbatim::simulator {

enum class AudioFormat { pcm16, mu_law, a_law };

/// From the protocol's names: audio/pcm, audio/pcmu, audio/pcma.
std::optional<AudioFormat> audio_format_from_name(std::string_view name);

/// pcm16 is 24 kHz, G.711 is 8 kHz; both mono.
constexpr std::int64_t bytes_per_ms(AudioFormat format) {
  return format == AudioFormat::pcm16 ? 48 : 8;
}
constexpr std::size_t samples_per_ms(AudioFormat format) {
  return format == AudioFormat::pcm16 ? 24 : 8;
}

/// Samples out of bytes; a last half sample is left out.
void decode_audio(AudioFormat format, std::string_view bytes, std::vector<std::int16_t>& samples);

/// Bytes out of samples at 24 kHz; G.711 takes every third of them.
std::string encode_audio(AudioFormat format, const std::vector<std::int16_t>& samples);

}  // namespace verbatim::simulator
