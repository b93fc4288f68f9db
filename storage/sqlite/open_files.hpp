// Notices that the files of an open database were taken away: removed, replaced, renamed, or hidden
// by another mount. SQLite goes on with what it has open, and commits succeed into a file that the
// next start will not find.
//
// Any thread. check() costs a stat for each file: 0.9 us for the three, where a commit costs 100.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <vector>

namespace verbatim::storage {

class Database;

class OpenFiles {
 public:
  /// The database, its log and its index, as they are now. Throws StorageError (taken_away) if what
  /// the connection has open is already another file than the name leads to.
  explicit OpenFiles(Database& database);

  /// Throws StorageError (taken_away) that names the file if a name leads to another file or to
  /// none. A name that cannot be looked up for another reason proves nothing.
  void check() const;

 private:
  struct File {
    std::filesystem::path name;
    dev_t device;
    ino_t inode;
  };
  std::vector<File> files_;
};

}  // namespace verbatim::storage
