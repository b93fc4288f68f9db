#include "storage/sqlite/full_disk.hpp"

#include <sqlite3.h>

#include <cerrno>

namespace verbatim::sqlite {

int result_of_write(sqlite3_file* file, const sqlite3_io_methods& theirs, int result) {
  if (result != SQLITE_IOERR_WRITE) return result;
  int reason = 0;
  theirs.xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &reason);
  return reason == EFBIG || reason == EDQUOT ? SQLITE_FULL : result;
}

}  // namespace verbatim::sqlite
