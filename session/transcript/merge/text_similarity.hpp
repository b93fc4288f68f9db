// Compares two versions of a turn's text. Writers differ in spacing, case and punctuation, and one
// may have heard less than another.
//
// Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace verbatim::transcript {

/// The words only: ASCII letters in lower case, each run of spaces and ASCII punctuation as one
/// space. A text without words stays unchanged.
std::string spoken_words(std::string_view text);

/// Both in the form of spoken_words(). An empty text never matches.
bool begins_with(std::string_view longer, std::string_view shorter);

/// At most this many bytes of two texts are compared word by word: some minutes of speech are
/// enough.
inline constexpr std::size_t compared_bytes_max = 4096;

/// True if more than half of the words are the same, repeated words counted: one utterance from two
/// recognisers. Not enough alone; the position must agree too.
bool similar(std::string_view a, std::string_view b);

}  // namespace verbatim::transcript
