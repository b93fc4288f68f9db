// The errors of a store. At the interface (call.hpp) they are values; behind it they may be thrown.
#pragma once

#include <stdexcept>
#include <string>

namespace verbatim::store {

enum class Failure {
  disk_full,     ///< passes once there is space
  io_error,      ///< a read, write or sync failed: the file is poisoned (promise P6)
  corrupt,       ///< the file is damaged
  taken_away,    ///< it was removed, replaced or renamed while in use
  read_only,     ///< the file or its folder cannot be written
  busy,          ///< another process holds the lock for longer than the time-out
  newer_schema,  ///< the file was written by a later version of this program
  queue_full,    ///< the queue to the writer reached its limit
  not_found,
  too_many,        ///< a configured limit; the message names it
  fleet_database,  ///< the database of the fleet does not answer
  other,
};
const char* to_string(Failure);
/// True if the state of the file is unknown. A second sync would not report what the first one
/// failed to write, and a checkpoint would spread the damage.
bool poisons(Failure);
/// True if the file is unchanged and a later try may succeed.
bool passes(Failure);
/// Advice for an operator.
const char* advice_for(Failure);
/// Text for a client. An error's own message names files, and clients must not see those.
std::string public_reason(Failure);

/// The message says what happened, to which file, and what to do.
class StorageError : public std::runtime_error {
 public:
  StorageError(Failure failure, const std::string& message, int native_code = 0)
      : std::runtime_error(message), failure_(failure), native_code_(native_code) {}
  Failure failure() const { return failure_; }
  /// The database engine's own code; 0: it is not the engine's error.
  int native_code() const { return native_code_; }

 private:
  Failure failure_;
  int native_code_;
};

/// A cursor that belongs to no list, or to another one.
StorageError unknown_cursor();

}  // namespace verbatim::store
