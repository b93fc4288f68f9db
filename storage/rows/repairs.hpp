// Attempts whose speech may be transcribed again, and the tries so far
// (storage/store/repair_store.hpp).
//
// On the database's thread; changes are part of the caller's transaction. All throw StorageError.
#pragma once

#include <cstddef>

#include "storage/store/repair_store.hpp"

namespace verbatim::sqlite {
class Database;
}  // namespace verbatim::sqlite

namespace verbatim::rows {

store::RepairPage find_repairable(sqlite::Database& database, const store::RepairCursor& since,
                                  std::size_t limit);
store::RepairRecord read_repair(sqlite::Database& database,
                                const store::RepairableAttempt& attempt);
void note_repair_try(sqlite::Database& database, const store::RepairTry& one);
void forget_repair_tries(sqlite::Database& database, const store::RepairableAttempt& attempt);
/// The copy's turn gets the relay's own ordinal, so that several such copies stand in the
/// conversation's order.
store::KeptCopy keep_repair(sqlite::Database& database, store::PostedCopy posted);

}  // namespace verbatim::rows
