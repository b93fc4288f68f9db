// How text and questions become words of the index.
//
// Scripts that are written without blanks between words (Chinese, Japanese, Thai, ...) are split
// into single characters, so that a word inside a sentence is found. Emoji are words too. The
// boundaries are marked with a control character, which the tokenizer takes for a blank.
//
// Pure; any thread. Any bytes are accepted.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace verbatim::search {

/// Stands around each character that is a word of its own; without meaning in a transcript.
inline constexpr char boundary = '\x1f';

/// The text with boundaries.
std::string with_boundaries(std::string_view text);
std::string without_boundaries(std::string_view text);

/// The question in the language of FTS5: all words must be in one turn. "Two words" in quotation
/// marks stand together; wor* is the beginning of a word. Everything else is plain text, also AND,
/// OR, NEAR and unbalanced quotation marks. Empty: the question has no words.
std::string match_expression(std::string_view question);

/// The lowest text above all texts that begin with `prefix`; empty: there is none.
std::string after_prefix(std::string prefix);

}  // namespace verbatim::search
