// Posted copies of a conversation (storage/store/copy_store.hpp): each is a row, and an identical
// copy adds no row.
//
// On the database's thread; each function is part of the caller's transaction. All throw
// StorageError.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/store/copy_store.hpp"

namespace verbatim::sqlite {
class Database;
}  // namespace verbatim::sqlite

namespace verbatim::rows {

/// Keeps the copy and marks a final attempt so that its counts are updated later: merging takes
/// more time than the journal's thread has (merges.hpp). not_found: no such session or attempt.
store::KeptCopy keep_copy(sqlite::Database& database, const store::PostedCopy& posted);

/// Call it when the relay's part of an attempt has ended: marks the attempt so that its copies are
/// merged.
void mark_to_merge(sqlite::Database& database, transcript::AttemptId attempt);

/// Decodes a row. Throws `corrupt`, with the number of the copy.
transcript::Copy read_copy(sqlite::Database& database, std::int64_t id, std::string writer,
                           const std::string& body);

/// The attempt's copies up to and including the id `last`, oldest first.
std::vector<transcript::Copy> copies_of(sqlite::Database& database, transcript::AttemptId attempt,
                                        std::int64_t last = INT64_MAX);

}  // namespace verbatim::rows
