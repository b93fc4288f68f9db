// Recognises a full disk where SQLite reports a failing one: a process limit on file size (ulimit
// -f), and a user's quota. SQLite recognises only ENOSPC.
#pragma once

struct sqlite3_file;
struct sqlite3_io_methods;

namespace verbatim::sqlite {

/// Returns `result` of a write to this file, or SQLITE_FULL if the cause was a limit or a quota.
/// `theirs` are the file's own methods, which have just written it.
int result_of_write(sqlite3_file* file, const sqlite3_io_methods& theirs, int result);

}  // namespace verbatim::sqlite
