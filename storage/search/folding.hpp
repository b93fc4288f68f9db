// Folds words that people regard as the same. SQLite's tokenizer unicode61 runs first; it removes
// only case and the diacritics of Latin letters.
//
// Pure; any thread. Any bytes are accepted.
#pragma once

#include <string>
#include <string_view>

namespace verbatim::search {

/// A word as it is compared.
/// - Greek: a final sigma is a sigma; vowels without accents.
/// - Cyrillic: ё is е, as most people write it.
/// - German: ß is ss.
/// - Arabic and Persian: without vowel signs and tatweel; alef, yeh, kaf and heh have one form
/// each.
/// - Hebrew: without points and accents.
/// Empty: the word had only signs.
std::string folded(std::string_view word);

}  // namespace verbatim::search
