// Writes the rows of a session that came from another database (storage/store/session_image.hpp).
//
// On the database's thread, in the caller's transaction. Throws StorageError.
#pragma once

#include "storage/store/session_image.hpp"

namespace verbatim::sqlite {
class Database;
}  // namespace verbatim::sqlite

namespace verbatim::rows {

/// Precondition: the database is empty.
void fill_image(sqlite::Database& database, const store::SessionRows& rows);

}  // namespace verbatim::rows
