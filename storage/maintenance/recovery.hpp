// Recovery after a crash, before the server listens: turns the journal's rows into finished
// transcripts, and leaves conversations open whose clients may come back. On the thread of the
// caller, which must be the only process that uses the store.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "storage/sqlite/wal_file.hpp"
#include "storage/store/suspended_store.hpp"

namespace verbatim::maintenance {

struct RecoveredAttempt {
  std::string session_id;
  int attempt = 0;
  std::size_t events = 0;  ///< journal rows folded
  std::size_t turns = 0;
  std::size_t interrupted = 0;  ///< turns that were open and are now interrupted
  friend bool operator==(const RecoveredAttempt&, const RecoveredAttempt&) = default;
};

struct RecoveryReport {
  bool clean = true;  ///< the file was closed in order; there was nothing to do
  bool dry_run = false;
  std::vector<RecoveredAttempt> attempts;      ///< that are final now
  std::vector<RecoveredAttempt> recovering;    ///< of killed processes, left open for their clients
  std::size_t suspended = 0;                   ///< suspended in order, left open for their clients
  std::vector<store::WaitingAttempt> waiting;  ///< both kinds that were left open
  std::size_t unreadable_rows = 0;             ///< rows that could not be decoded; they are kept
  std::string integrity;                ///< "ok", or what the check found; empty if it did not run
  std::size_t segment_events = 0;       ///< rows merged from the fallback directory
  std::size_t segment_endings = 0;      ///< attempts that ended in the fallback directory
  std::vector<store::LogFinding> logs;  ///< WALs with a problem (wal_file.hpp)
};

/// The WALs of a store.
struct StoreLogs {
  sqlite::LogReport database;
  sqlite::LogReport segment;
};
/// Call it before this process opens the store (wal_file.hpp).
StoreLogs read_logs(const std::filesystem::path& file, const std::filesystem::path& fallback_dir);

/// Throws, and changes nothing, if a WAL exists and its database is missing, empty or without a
/// header. Checks the file and the fallback directory (empty path: none). Call it before this
/// process opens the store.
void require_whole_store(const std::filesystem::path& file,
                         const std::filesystem::path& fallback_dir);

/// How often in a row a start may leave the same attempt open. Without a limit, a process that is
/// killed again and again would never end it.
inline constexpr int recoveries_max = 10;

struct RecoveryOptions {
  std::int64_t resume_window_ms = 0;  ///< session.resume_window
  /// Attempts of a killed process wait for their clients, if there is a window. False: they end.
  bool leaves_recovering = false;
  /// Every open attempt waits until the fleet has said which of them other nodes have by now.
  bool in_fleet = false;
  bool again = false;  ///< this start has recovered the store before, and counts once
  std::optional<StoreLogs> logs = std::nullopt;  ///< read_logs(), if the store was opened since
};

/// Recovers the store. Idempotent. Throws StorageError.
/// - Merges the fallback directory's segment first.
/// - An attempt that was suspended less than a window ago is left open. An older one ends with
///   server_shutdown.
/// - With `leaves_recovering`, every other attempt that is not final becomes `recovering` at `now`.
///   Condition: the journal has its settings, and at most recoveries_max starts have left it so.
///   Its open turns become interrupted.
/// - The others end with crash_recovered, at the time of their last journal row. Their open turns
///   become interrupted.
/// - Empties the WAL at the end: pages that only the kernel's cache holds after a failed sync are
///   written again.
///
/// A file that is refused stays byte for byte as it was.
///
/// - `now`: milliseconds since 1970.
/// - `dry_run`: nothing is changed and the report is the same; `integrity` reports a damaged file
///   instead of an error.
/// - `fallback_dir`: empty if there is none.
RecoveryReport recover(const std::filesystem::path& file, TimeMs now, bool dry_run = false,
                       const std::filesystem::path& fallback_dir = {},
                       const RecoveryOptions& options = {});

}  // namespace verbatim::maintenance
