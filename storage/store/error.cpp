#include "storage/store/error.hpp"

namespace verbatim::store {

const char* to_string(Failure failure) {
  switch (failure) {
    case Failure::disk_full:
      return "disk_full";
    case Failure::io_error:
      return "io_error";
    case Failure::corrupt:
      return "corrupt";
    case Failure::taken_away:
      return "taken_away";
    case Failure::read_only:
      return "read_only";
    case Failure::busy:
      return "busy";
    case Failure::newer_schema:
      return "newer_schema";
    case Failure::queue_full:
      return "queue_full";
    case Failure::too_many:
      return "too_many";
    case Failure::not_found:
      return "not_found";
    case Failure::fleet_database:
      return "fleet_database";
    case Failure::other:
      return "other";
  }
  return "other";
}

bool poisons(Failure failure) {
  return failure == Failure::io_error || failure == Failure::corrupt ||
         failure == Failure::taken_away;
}

bool passes(Failure failure) { return failure == Failure::disk_full || failure == Failure::busy; }

const char* advice_for(Failure failure) {
  switch (failure) {
    case Failure::disk_full:
      return "free some space on its disk, or raise the limit on the size of files or the quota";
    case Failure::io_error:
      return "check the disk and the kernel log, then start again to recover";
    case Failure::corrupt:
      return "keep a copy of the file with its -wal, and restore it from a backup";
    case Failure::taken_away:
      return "put it back where it was, together with its -wal, and start again";
    case Failure::read_only:
      return "check that its directory exists, belongs to this user and is mounted writable";
    case Failure::busy:
      return "find the other process that keeps it locked";
    case Failure::fleet_database:
      return "check that the database runs and that fleet.url names its hosts";
    default:
      return "this is a defect of the program or of the file";
  }
}

std::string public_reason(Failure failure) {
  if (failure == Failure::busy) {
    return "the database was locked, or the read took longer than journal.read_max: ask for less, "
           "or try again later";
  }
  if (failure == Failure::fleet_database)
    return "the fleet's database does not answer, or not within fleet.silence_max";
  return std::string("the database cannot be read or written (") + to_string(failure) +
         "): " + advice_for(failure);
}

StorageError unknown_cursor() {
  return {Failure::not_found, "this cursor is unknown: use next_cursor of the page before"};
}

}  // namespace verbatim::store
