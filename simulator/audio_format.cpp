#include "simulator/audio_format.hpp"

#include <algorithm>
#include <cstdlib>

namespace verbatim::simulator {

namespace {

// ITU-T G.711.
constexpr int mu_law_bias = 0x84;

std::int16_t from_mu_law(unsigned char code) {
  const unsigned bits = static_cast<unsigned char>(~code);
  const unsigned exponent = bits >> 4U & 7U;
  const int magnitude =
      static_cast<int>(((bits & 15U) << 3U) + mu_law_bias) * (1 << exponent) - mu_law_bias;
  return static_cast<std::int16_t>((bits & 0x80U) != 0 ? -magnitude : magnitude);
}

std::int16_t from_a_law(unsigned char code) {
  const unsigned bits = code ^ 0x55U;
  const unsigned exponent = bits >> 4U & 7U;
  int magnitude = static_cast<int>((bits & 15U) << 4U) + 8;
  if (exponent > 0) magnitude = (magnitude + 0x100) * (1 << (exponent - 1));
  return static_cast<std::int16_t>((bits & 0x80U) != 0 ? magnitude : -magnitude);
}

/// The position of the highest set bit, counted from bit `lowest` (7 or 8).
unsigned segment_of(int magnitude, unsigned lowest) {
  unsigned segment = 0;
  while (segment < 7 && magnitude >> (lowest + 1 + segment) != 0) ++segment;
  return segment;
}

unsigned char to_mu_law(std::int16_t sample) {
  const int magnitude = std::min(std::abs(int{sample}), 32635) + mu_law_bias;
  const unsigned segment = segment_of(magnitude, 7);
  const unsigned step = static_cast<unsigned>(magnitude >> (segment + 3)) & 15U;
  const unsigned sign = sample < 0 ? 0x80U : 0U;
  return static_cast<unsigned char>(~(sign | segment << 4U | step));
}

unsigned char to_a_law(std::int16_t sample) {
  const int magnitude = std::min(std::abs(int{sample}), 32767);
  const unsigned segment = segment_of(magnitude, 7);
  const unsigned shift = segment > 1 ? segment + 3 : 4;
  const unsigned step = static_cast<unsigned>(magnitude >> shift) & 15U;
  const unsigned sign = sample < 0 ? 0U : 0x80U;
  return static_cast<unsigned char>((sign | segment << 4U | step) ^ 0x55U);
}

}  // namespace

std::optional<AudioFormat> audio_format_from_name(std::string_view name, std::int64_t rate) {
  if (name == "audio/pcm") return AudioFormat{AudioFormat::Coding::linear, rate};
  if (name == "audio/pcmu") return AudioFormat::mu_law;
  if (name == "audio/pcma") return AudioFormat::a_law;
  return std::nullopt;
}

void decode_audio(AudioFormat format, std::string_view bytes, std::vector<std::int16_t>& samples) {
  using Coding = AudioFormat::Coding;
  const auto* from = reinterpret_cast<const unsigned char*>(bytes.data());
  samples.resize(bytes.size() / static_cast<std::size_t>(format.bytes_per_sample()));
  std::int16_t* const to = samples.data();
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (format.coding == Coding::linear) {
      to[i] = static_cast<std::int16_t>(from[2 * i] | from[2 * i + 1] << 8U);
    } else {
      to[i] = format.coding == Coding::mu_law_8bit ? from_mu_law(from[i]) : from_a_law(from[i]);
    }
  }
}

std::string encode_audio(AudioFormat format, const std::vector<std::int16_t>& samples) {
  using Coding = AudioFormat::Coding;
  constexpr std::size_t source_rate = 24'000;
  const auto rate = static_cast<std::size_t>(format.rate);
  const std::size_t count = samples.size() * rate / source_rate;
  std::string bytes(count * static_cast<std::size_t>(format.bytes_per_sample()), '\0');
  char* to = bytes.data();
  for (std::size_t i = 0; i < count; ++i) {
    const std::int16_t sample = samples[((i + 1) * source_rate + rate - 1) / rate - 1];
    if (format.coding == Coding::linear) {
      *to++ = static_cast<char>(sample & 0xff);
      *to++ = static_cast<char>(sample >> 8);
    } else {
      *to++ = static_cast<char>(format.coding == Coding::mu_law_8bit ? to_mu_law(sample)
                                                                     : to_a_law(sample));
    }
  }
  return bytes;
}

}  // namespace verbatim::simulator
