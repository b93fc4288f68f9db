#include "simulator/voice.hpp"

#include <array>
#include <cmath>

namespace verbatim::simulator {

namespace {

constexpr std::size_t samples_per_character = Voice::ms_per_character * Voice::samples_per_ms;
constexpr std::size_t table_size = 1024;
using Table = std::array<std::int16_t, table_size>;

/// One period of a buzz, with harmonics like those of two vowels.
const std::array<Table, 2>& tables() {
  static const std::array<Table, 2> made = [] {
    constexpr std::array<std::array<double, 8>, 2> harmonics = {
        {{1.0, 0.8, 0.7, 0.9, 1.0, 0.7, 0.3, 0.1}, {1.0, 0.9, 0.5, 0.2, 0.1, 0.1, 0.2, 0.4}}};
    std::array<Table, 2> result{};
    for (std::size_t vowel = 0; vowel < result.size(); ++vowel) {
      for (std::size_t i = 0; i < table_size; ++i) {
        double value = 0;
        for (std::size_t h = 0; h < harmonics[vowel].size(); ++h) {
          const double turn = static_cast<double>(i * (h + 1)) / table_size;
          value += harmonics[vowel][h] * std::sin(2 * 3.14159265358979 * turn);
        }
        result[vowel][i] = static_cast<std::int16_t>(value * 5500);
      }
    }
    return result;
  }();
  return made;
}

bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }

/// From 0 to 256. Vowels are loud, consonants less, and everything between words is nearly silent.
std::int32_t loudness_of(char c) {
  constexpr std::string_view vowels = "aeiouyAEIOUY";
  constexpr std::string_view pauses = " .,;:!?-\n\t\"'()";
  if (vowels.find(c) != vowels.npos) return 256;
  return pauses.find(c) != pauses.npos ? 12 : 140;
}

}  // namespace

std::int64_t Voice::length_ms(std::string_view text) {
  std::int64_t characters = 0;
  for (const char c : text) characters += begins_character(c) ? 1 : 0;
  return characters * ms_per_character;
}

std::vector<std::int16_t> Voice::speak(std::int64_t ms) {
  std::vector<std::int16_t> samples(static_cast<std::size_t>(ms) * samples_per_ms);
  std::int16_t* to = samples.data();
  std::int16_t* const end = to + samples.size();
  while (to != end && byte_ < text_.size()) {
    const char c = text_[byte_];
    const std::int32_t target = loudness_of(c) << 8U;
    if (loudness_of(c) == 256) vowel_ = static_cast<unsigned char>(c) >> 2U & 1U;
    // About 160 Hz at first, falling by a third over six seconds, then starting again.
    const auto hertz = static_cast<std::uint32_t>(160 - spoken_ % 92 * 5 / 8);
    const std::uint32_t step = hertz * (0xffffffffU / 24'000U);
    const std::int16_t* const table = tables()[vowel_].data();
    for (; to != end && into_ < samples_per_character; ++into_) {
      loudness_ += (target - loudness_) >> 8;  // time constant of 10 ms
      phase_ += step;
      *to++ = static_cast<std::int16_t>(table[phase_ >> 22U] * (loudness_ >> 8) >> 8);
    }
    if (into_ < samples_per_character) break;
    into_ = 0;
    ++spoken_;
    do ++byte_;
    while (byte_ < text_.size() && !begins_character(text_[byte_]));
  }
  return samples;
}

}  // namespace verbatim::simulator
