// A SQLite VFS for tests: counts writes and syncs, knows which bytes are written but not synced,
// and makes operations fail on request. While an object lives, every database that is opened goes
// through it.
//
// One object at a time. Any thread may change settings and read counts.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace verbatim::test {

/// An operation of SQLite on a file or its name.
struct DiskOperation {
  enum Kind {
    made,    ///< a new file; its name is not on the disk yet
    opened,  ///< a file that existed
    wrote,
    truncated,
    syncing,  ///< a sync begins: it does not cover what others write before it ends
    synced,
    names_synced,  ///< names made or removed in the folder are on the disk now
    removed,
  };
  Kind kind;
  std::string file;
  std::uint64_t at = 0;  ///< offset of a write, the new size, or the number of the sync
  std::string bytes = {};
};

/// Called after each operation, on the thread that did it.
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

  /// Faults apply only to files opened from now on with this text in their path; empty: all.
  void confine(const std::string& part);

  // Counts only syncs and writes of the database and of its WAL.
  std::uint64_t writes() const;
  std::uint64_t log_syncs() const;
  std::uint64_t database_syncs() const;
  /// True while a sync is being held.
  bool log_sync_waits() const;
  bool database_sync_waits() const;
  /// True if the WAL holds bytes that no sync has covered.
  bool log_unsynced() const;

  /// The WAL's n-th sync from now (1: the next) fails with an I/O error; 0: none.
  void fail_log_sync(int n);
  /// The same for the database file, which a checkpoint syncs.
  void fail_database_sync(int n);
  /// The WAL's n-th write from now fails with an I/O error.
  void fail_log_write(int n);
  /// The same for the database file.
  void fail_database_write(int n);
  /// Every write fails as on a full disk until this is switched off.
  void fill_disk(bool full);
  /// Every sync of the WAL waits until this is switched off.
  void hold_log_sync(bool hold);
  /// The same for the database file.
  void hold_database_sync(bool hold);

  /// The observer of all operations from now on; nullptr: none.
  void report_to(DiskWatch* watch);
  /// Counts and reports syncs without doing them: for tests that simulate many power cuts.
  void skip_syncs(bool skip);
};

}  // namespace verbatim::test
