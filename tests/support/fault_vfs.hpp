// SQLite's door to the disk with a doorman: counts writes and syncs, knows what is written but not
// synced, and fails them on request. While one lives, every database that is opened goes through
// it.
//
// One at a time. Settings and counts from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace verbatim::test {

/// Something that SQLite did to a file, or to its name.
struct DiskOperation {
  enum Kind {
    made,    ///< a file that was not there; its name is not on the disk yet
    opened,  ///< one that was there
    wrote,
    truncated,
    syncing,  ///< a sync begins: what others write before it is over is not covered by it
    synced,
    names_synced,  ///< made and removed files of the folder are that for good
    removed,
  };
  Kind kind;
  std::string file;
  std::uint64_t at = 0;  ///< offset of a write, the new size, or which sync begins or is over
  std::string bytes = {};
};

/// Told of each operation once it is done, on the thread that did it.
class DiskWatch {
 public:
  virtual ~DiskWatch() = default;
  virtual void happened(DiskOperation operation) = 0;
};

class FaultVfs {
 public:
  FaultVfs();
  ~FaultVfs();
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  /// Faults strike only files that are opened from now on with this in their path; empty: all.
  void confine(const std::string& part);

  // Syncs and writes of the database and of its log; other files pass unseen.
  std::uint64_t writes() const;
  std::uint64_t log_syncs() const;
  std::uint64_t database_syncs() const;
  /// Whether a sync is being held.
  bool log_sync_waits() const;
  bool database_sync_waits() const;
  /// Whether the log holds bytes that no sync has covered.
  bool log_unsynced() const;

  /// The log's n-th sync from now (1: the next) fails with an I/O error; 0: none.
  void fail_log_sync(int n);
  /// The same for the database file itself, as a checkpoint syncs it.
  void fail_database_sync(int n);
  /// The log's n-th write from now fails with an I/O error.
  void fail_log_write(int n);
  /// The same for the database file.
  void fail_database_write(int n);
  /// From now on every write fails as on a full disk, until switched off.
  void fill_disk(bool full);
  /// From now on every sync of the log waits, until switched off.
  void hold_log_sync(bool hold);
  /// The same for the database file.
  void hold_database_sync(bool hold);

  /// From now on this is told of everything; nullptr: nobody.
  void tell(DiskWatch* watch);
  /// From now on syncs are only told of and counted, not done: for tests that cut the power
  /// themselves, and often.
  void skip_syncs(bool skip);
};

}  // namespace verbatim::test
