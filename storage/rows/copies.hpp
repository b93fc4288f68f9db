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

namespace verbatim::storage {

class Database;

/// Keeps the copy and marks a final attempt so that its counts are updated later: merging takes
/// more time than the journal's thread has (merges.hpp). not_found: no such session or attempt.
KeptCopy keep_copy(Database& database, const PostedCopy& posted);

/// Call it when the relay's part of an attempt has ended: marks the attempt so that its copies are
/// merged.
void mark_to_merge(Database& database, session::AttemptId attempt);

/// Decodes a row. Throws `corrupt`, with the number of the copy.
session::Copy read_copy(Database& database, std::int64_t id, std::string writer,
                        const std::string& body);

/// The attempt's copies up to and including the id `last`, oldest first.
std::vector<session::Copy> copies_of(Database& database, session::AttemptId attempt,
                                     std::int64_t last = INT64_MAX);

}  // namespace verbatim::storage
