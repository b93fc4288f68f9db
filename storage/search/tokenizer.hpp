// The tokenizer of the index, "verbatim": words as SQLite's unicode61 finds them, folded
// (folding.hpp). A custom tokenizer leaves the stored text alone, so snippets show what was said.
//
// On the connection's thread.
#pragma once

struct sqlite3;

namespace verbatim::search {

/// For CREATE VIRTUAL TABLE. Letters, digits, marks and symbols belong to words; case and
/// diacritics do not matter.
inline constexpr const char* tokenizer =
    "verbatim remove_diacritics 2 categories ''L* N* Co M* So''";

/// Makes the tokenizer known to a connection, which needs it to read or write the index. Throws
/// StorageError.
void add_tokenizer(sqlite3* connection);

}  // namespace verbatim::search
