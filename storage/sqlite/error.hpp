// What storage says when something goes wrong. SQLite's exceptions end in database.cpp.
#pragma once

#include <stdexcept>
#include <string>

namespace verbatim::storage {

enum class Failure {
  disk_full,     ///< SQLITE_FULL or ENOSPC: heals by itself
  io_error,      ///< a read, write or sync failed: the file is poisoned (product P6)
  corrupt,       ///< the file is damaged
  taken_away,    ///< it was removed, replaced or renamed while in use
  read_only,     ///< the file or its folder cannot be written
  busy,          ///< another process holds the lock for longer than the time-out
  newer_schema,  ///< the file was written by a later version of this program
  queue_full,    ///< the hand-off to the writer reached its bound
  not_found,
  too_many,  ///< a limit of the configuration; the message says which
  other,
};
const char* to_string(Failure);
/// The state of the file is unknown: what a failed sync did not write, a second one will not
/// report, and a checkpoint would spread it.
bool poisons(Failure);
/// The file is as it was, and time can bring what is missing.
bool passes(Failure);
/// What an operator does about it.
const char* advice_for(Failure);
/// What a client may be told of it: an error's own message names files.
std::string told_of(Failure);

/// Message says what happened, to which file, and what to do.
class StorageError : public std::runtime_error {
 public:
  StorageError(Failure failure, const std::string& message, int sqlite_code = 0)
      : std::runtime_error(message), failure_(failure), sqlite_code_(sqlite_code) {}
  Failure failure() const { return failure_; }
  int sqlite_code() const { return sqlite_code_; }  ///< extended result code, 0 if not SQLite's

 private:
  Failure failure_;
  int sqlite_code_;
};

}  // namespace verbatim::storage
