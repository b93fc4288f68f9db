// Whether two versions of a turn's text can be the same words: writers differ in spacing, case and
// punctuation, and one may have heard less than the other.
//
// Pure values.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace verbatim::session {

/// The words alone: ASCII letters lowered, runs of spaces and ASCII punctuation one space. What
/// has no words stays as it is.
std::string spoken_words(std::string_view text);

/// Both as spoken_words() makes them. An empty one agrees with nothing.
bool begins_with(std::string_view longer, std::string_view shorter);

/// So much of two texts is compared word by word: what two speakers say in some minutes tells.
inline constexpr std::size_t compared_bytes_max = 4096;

/// More than half of the words are the same, counted as often as they stand there: one utterance
/// as two recognisers wrote it. Never enough alone: the place must say so too.
bool similar(std::string_view a, std::string_view b);

}  // namespace verbatim::session
