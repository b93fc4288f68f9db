// Samples as bytes. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace verbatim::audio {

inline constexpr std::size_t sample_bytes = 2;

/// Sample number `i` of 16-bit little-endian PCM.
inline std::int16_t sample_at(std::string_view pcm, std::size_t i) {
  const auto low = static_cast<std::uint8_t>(pcm[sample_bytes * i]);
  const auto high = static_cast<std::uint8_t>(pcm[sample_bytes * i + 1]);
  return static_cast<std::int16_t>(low | high << 8);
}

/// Its two bytes. More than 16 bits are cut off.
inline void append_sample(std::int32_t sample, std::string& pcm) {
  pcm.push_back(static_cast<char>(sample));
  pcm.push_back(static_cast<char>(sample >> 8));
}

}  // namespace verbatim::audio
