// Leaves an attempt open for its client after its process has ended. Recovery and the import of
// another node's session share it, so both leave the same records.
//
// On the database's thread, in the caller's transaction. Throws StorageError.
#pragma once

#include "session/transcript/journal.hpp"
#include "storage/rows/fold.hpp"

namespace verbatim::sqlite {
class Database;
}  // namespace verbatim::sqlite

namespace verbatim::rows {

/// The provider's connection is lost with the process. That is journaled like any loss of one, so
/// every reader and the process that continues see the same.
/// - `seq`: a free number, greater than those of the attempt's journal rows.
/// - `now`, `counts`: as for leave_recovering().
void leave_open(sqlite::Database& database, transcript::AttemptId attempt, const Folded& folded,
                transcript::Sequence seq, TimeMs now, bool counts);

}  // namespace verbatim::rows
