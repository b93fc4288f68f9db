// What SQLite takes for a failing disk although it is a full one: the limit of a process on the
// size of files (ulimit -f), and the quota of a user. SQLite knows ENOSPC alone.
#pragma once

struct sqlite3_file;
struct sqlite3_io_methods;

namespace verbatim::storage {

/// What a write of this file came to: `result`, or SQLITE_FULL where that is the reason. `theirs`
/// are the file's own methods, with which it has just been written.
int result_of_write(sqlite3_file* file, const sqlite3_io_methods& theirs, int result);

}  // namespace verbatim::storage
