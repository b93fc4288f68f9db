// A segment: the file in the fallback directory that takes the journal's rows when the database's
// disk is full for too long or has failed. It has the database's tables, the live attempts, and all
// rows after the last durable one. After a merge the database has everything.
//
// Call these functions on the thread of the given database. All throw StorageError.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "session/transcript/journal.hpp"
#include "storage/journal/sqlite_journal.hpp"

namespace verbatim::sqlite {
class Database;
}  // namespace verbatim::sqlite

namespace verbatim::journal {

/// An attempt that is not final, with the values its record was made from.
struct LiveAttempt {
  int number = 0;
  transcript::Sequence first_seq = 0;
  store::AttemptSpec spec;
  int turns = 0;                  ///< settled in this process; a turn may be settled twice
  transcript::Sequence rows = 0;  ///< journal rows that this process has written
};
using LiveAttempts = std::map<transcript::AttemptId, LiveAttempt>;

LiveAttempts live_attempts(sqlite::Database& database);

std::filesystem::path segment_in(const std::filesystem::path& fallback_dir);

/// Throws as require_database_of_log() does, unless a crash interrupted the removal of a segment
/// that was merged.
void require_segment_of_log(const std::filesystem::path& fallback_dir);
/// Completes a removal that a crash interrupted.
void remove_merged_segment(const std::filesystem::path& fallback_dir);

/// Makes the segment; its attempts keep the ids that they have in the database.
std::unique_ptr<sqlite::Database> begin_segment(const std::filesystem::path& file,
                                                sqlite::Durability durability,
                                                const LiveAttempts& live);

struct MergedSegment {
  std::size_t events = 0;
  std::size_t endings = 0;  ///< attempts that ended in the segment
};

/// Changes this connection's view as if the segment were merged: its events are readable, and the
/// attempts that ended there have ended. Changes no file. Refuses the same segments as
/// merge_segment().
MergedSegment look_through_segment(sqlite::Database& database, const std::filesystem::path& file);

/// Brings the whole segment into the database in one transaction, and removes the file after that
/// is durable. Sequence numbers identify rows, so repeating it after a crash adds nothing twice.
/// Refuses a segment of another database, and changes nothing then.
MergedSegment merge_segment(sqlite::Database& database, const std::filesystem::path& file);

}  // namespace verbatim::journal
