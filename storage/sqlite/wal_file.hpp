// Reads a write-ahead log (WAL) as a file, without SQLite. SQLite takes a WAL up to the first bad
// frame and does not report what lies behind it. This module decides whether a power cut explains
// that.
//
// After a power cut the last transaction may not be synced. Any of its sectors may be missing, and
// intact frames of it may lie behind a bad one.
//
// With journal.durability = "power" a commit syncs the WAL before the next transaction begins. So a
// power cut cannot leave these two, and each proves that durable rows are unreadable:
// - a bad frame in a transaction that another transaction follows;
// - a WAL index that counts more frames than can be read.
// Frames with other salts are leftovers of an earlier use of the file and mean nothing.
//
// Format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log. Any thread, while no
// connection writes to the file; changes nothing. Throws StorageError if a file cannot be read.
// read_log() opens the database and its index, so the process must have no connection to them
// (store_files.hpp says why).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "storage/store/health.hpp"

namespace verbatim::sqlite {

struct LogReport {
  store::LogState state = store::LogState::missing;
  bool expected = false;          ///< the database uses a WAL; a backup does not
  std::size_t frames = 0;         ///< that SQLite reads: up to the last commit before a bad frame
  std::size_t frames_behind = 0;  ///< good ones with the same salts behind a bad one
  /// Committed frames according to the WAL index; nullopt if this WAL has no valid index.
  std::optional<std::size_t> frames_by_index;
  std::size_t frames_moved = 0;  ///< of those, known to be in the database
  /// For an unreadable WAL: pages whose last committed version is not in the database; nullopt if
  /// the WAL shows no commit.
  std::optional<std::size_t> pages_not_in_database;
};

/// True if SQLite can read this database's WAL: its header is valid and more follows.
bool has_readable_log(const std::filesystem::path& database);

/// Reads the WAL of `database`. If the WAL's header is damaged, the database's header gives the
/// page size.
LogReport read_log(const std::filesystem::path& database);

/// nullopt if a kill, a power cut or an orderly end explains the WAL. `clean`: the database records
/// that the last program ended in order.
std::optional<store::LogFinding> judge_log(const std::filesystem::path& database,
                                           const LogReport& report, bool clean);

}  // namespace verbatim::sqlite
