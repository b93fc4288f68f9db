// A write-ahead log as a file, read without SQLite. SQLite takes a log up to the first frame that
// is not whole and does not report what lies behind it; this says whether that was more than a
// power cut explains.
//
// What a power cut leaves: the last transaction was not synced, so any of its sectors may be
// missing, and whole frames of it may lie behind a bad one. What it cannot leave: a bad frame in a
// transaction after which another one was begun, because a commit syncs the log first
// (journal.durability = "power"). Nor can the index count more frames than were synced. These two
// are the evidence that durable rows are unreadable. Frames of an older generation (other salts)
// are leftovers and mean nothing.
//
// Format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log. Any thread, while no
// connection writes to the file; changes nothing. Throws StorageError if a file cannot be read.
// read_log() opens the database and its index: it is for a process that has no connection to them
// (store_files.hpp says why).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace verbatim::storage {

enum class LogState : std::uint8_t {
  missing,     ///< there is no log
  empty,       ///< it has no bytes
  whole,       ///< every frame up to the last commit, and nothing suspicious behind it
  cut_short,   ///< ends within a transaction that was not synced, as after a power cut
  unreadable,  ///< its header is damaged: SQLite takes nothing from it
  damaged,     ///< frames that were synced cannot be read
};
const char* to_string(LogState);

struct LogReport {
  LogState state = LogState::missing;
  bool expected = false;          ///< the database keeps its changes in a log; a backup does not
  std::size_t frames = 0;         ///< that SQLite reads: up to the last commit before a bad frame
  std::size_t frames_behind = 0;  ///< whole ones of the same generation behind a bad one
  /// Frames that commits had reached, by the log's index; none if there is no valid index of this
  /// log.
  std::optional<std::size_t> frames_by_index;
  std::size_t frames_moved = 0;  ///< of those, known to be in the database
  /// Of an unreadable log: pages whose last committed version is not what the database has; none if
  /// no commit could be found in it.
  std::optional<std::size_t> pages_not_in_database;
};

/// Whether this database has a log that SQLite reads at all: one with a valid header and more.
bool has_readable_log(const std::filesystem::path& database);

/// Of this database; its own header gives the size of a page where the log's is damaged.
LogReport read_log(const std::filesystem::path& database);

/// What to say of a log.
struct LogFinding {
  std::filesystem::path log;
  LogState state = LogState::whole;
  bool lost = false;  ///< durable rows are missing, or nothing shows that they are not
  std::string what;   ///< in words
};

/// Nothing if the log is as a kill, a power cut or an orderly end leaves it. `clean`: the database
/// says that the last program ended in order.
std::optional<LogFinding> judge_log(const std::filesystem::path& database, const LogReport& report,
                                    bool clean);

}  // namespace verbatim::storage
