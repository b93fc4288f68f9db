// A simple voice: a hum with two vowels, a rhythm of syllables and a falling pitch, 65 ms a
// character. It is audible and moves a level meter, but it is not understandable speech. The same
// text gives the same samples. One thread; costs a table look-up a sample.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace verbatim::simulator {

class Voice {
 public:
  static constexpr std::int64_t ms_per_character = 65;
  static constexpr std::size_t samples_per_ms = 24;

  explicit Voice(std::string text) : text_(std::move(text)) {}

  /// The duration of a text. Counts only the first byte of each character.
  static std::int64_t length_ms(std::string_view text);

  /// The next `ms` milliseconds at 24 kHz; silence after the end of the text.
  std::vector<std::int16_t> speak(std::int64_t ms);

 private:
  std::string text_;
  std::size_t byte_ = 0;       // index of the current character
  std::size_t into_ = 0;       // samples of it already spoken
  std::size_t spoken_ = 0;     // characters before it
  std::uint32_t phase_ = 0;    // of the hum; the full range of the type is one period
  std::uint32_t vowel_ = 0;    // which table
  std::int32_t loudness_ = 0;  // follows the character's loudness slowly, to avoid clicks
};

}  // namespace verbatim::simulator
