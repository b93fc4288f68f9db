// After a crash: what the journal holds becomes finished transcripts, before anything listens.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "session/transcript/turn.hpp"
#include "storage/sqlite/wal_file.hpp"

namespace verbatim::storage {

struct RecoveredAttempt {
  std::string session_id;
  int attempt = 0;
  std::size_t events = 0;  ///< journal rows folded
  std::size_t turns = 0;
  std::size_t interrupted = 0;  ///< turns that were open and will not be finished
  friend bool operator==(const RecoveredAttempt&, const RecoveredAttempt&) = default;
};

struct RecoveryReport {
  bool clean = true;  ///< the file was closed in order; nothing to do
  bool dry_run = false;
  std::vector<RecoveredAttempt> attempts;
  std::size_t suspended = 0;        ///< attempts that are left to be carried on
  std::size_t unreadable_rows = 0;  ///< rows whose body could not be decoded (kept, counted)
  std::string integrity;            ///< "ok", or what the check said (only run if not clean)
  std::size_t segment_events = 0;   ///< rows brought back from the fallback directory
  std::size_t segment_endings = 0;  ///< attempts that ended there
  std::vector<LogFinding> logs;     ///< those that are not as they should be (wal_file.hpp)
};

/// The logs of a store.
struct StoreLogs {
  LogReport database;
  LogReport segment;
};
/// Before this process opens the store (wal_file.hpp).
StoreLogs read_logs(const std::filesystem::path& file, const std::filesystem::path& fallback_dir);

/// Throws, with nothing changed, if a log is there and its database is not: of the file or of the
/// fallback directory (which may be empty: none). Before this process opens the store.
void require_whole_store(const std::filesystem::path& file,
                         const std::filesystem::path& fallback_dir);

/// Idempotent. Every attempt that is not final becomes final with crash_recovered; its open turns
/// become interrupted; its end time is that of its last journal row. Throws StorageError.
/// What a fallback directory holds is merged first. At its end nothing is left in the write-ahead
/// log: pages that only the kernel's cache holds after a failed sync are written once more.
/// With `dry_run` nothing is changed, the report is the same; a damaged file is told of by
/// `integrity` instead of an error. A file that is refused is left byte for byte as it was.
/// An attempt that was suspended less than `resume_window_ms` ago is left to be carried on; an
/// older one ends with server_shutdown.
/// `logs`: what was found of them before, by a process that has the file open by now.
RecoveryReport recover(const std::filesystem::path& file, TimeMs now, bool dry_run = false,
                       const std::filesystem::path& fallback_dir = {},
                       std::int64_t resume_window_ms = 0,
                       const std::optional<StoreLogs>& logs = std::nullopt);

}  // namespace verbatim::storage
