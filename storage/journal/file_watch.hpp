// Watches whether the files that the journal writes are still where they were opened: a file that
// was removed or replaced takes rows that no start will find.
//
// The writer sets what is watched. One other thread may call look(), any thread taken_away().
#pragma once

#include <atomic>
#include <memory>

#include "storage/sqlite/open_files.hpp"

namespace verbatim::journal {

class FileWatch {
 public:
  /// Watches this database's files from now on.
  void watch(sqlite::Database& database);
  /// Watches nothing: the files will be removed on purpose.
  void forget();

  /// Throws StorageError if the files were taken away.
  void check() const;
  /// Checks the files for a journal that commits nothing. True if this call is the first to find
  /// them taken away.
  bool look();
  /// Whether look() has found that.
  bool taken_away() const { return taken_away_.load(std::memory_order_acquire); }
  /// Other files are watched from now on: forgets what look() found.
  void reset() { taken_away_.store(false, std::memory_order_release); }

 private:
  /// Replaced as a whole, because look() reads it from another thread.
  std::atomic<std::shared_ptr<const sqlite::OpenFiles>> files_;
  std::atomic<bool> taken_away_{false};
};

}  // namespace verbatim::journal
