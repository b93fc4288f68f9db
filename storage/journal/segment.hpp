// A segment: the file in the fallback directory where journaling goes on when the database's own
// disk is full for too long or has failed. It has the database's tables, the attempts that were
// live, and what came after the last durable row; merged, it is as if nothing had happened.
//
// On the thread of the database that is given. All throw StorageError.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "session/transcript/journal.hpp"
#include "storage/journal/sqlite_journal.hpp"

namespace verbatim::storage {

class Database;

/// An attempt that is not final, with all that its record was made from.
struct LiveAttempt {
  int number = 0;
  session::Sequence first_seq = 0;
  AttemptSpec spec;
  int turns = 0;  ///< that were settled in this process; a turn may be, twice
};
using LiveAttempts = std::map<session::AttemptId, LiveAttempt>;

LiveAttempts live_attempts(Database& database);

std::filesystem::path segment_in(const std::filesystem::path& fallback_dir);

/// Throws as require_database_of_log() does, unless what is there was merged and a crash came
/// before all of it had been removed.
void require_segment_of_log(const std::filesystem::path& fallback_dir);
/// Removes what such a crash has left.
void remove_merged_segment(const std::filesystem::path& fallback_dir);

/// Makes the file; its attempts have the ids that they have in the database.
std::unique_ptr<Database> begin_segment(const std::filesystem::path& file, Durability durability,
                                        const LiveAttempts& live);

struct MergedSegment {
  std::size_t events = 0;
  std::size_t endings = 0;  ///< attempts that ended there
};

/// What a merge would bring, and from now on this connection reads as if it had brought it: its
/// events, and attempts that ended there have ended. Nothing is changed. Refuses as a merge does.
MergedSegment look_through_segment(Database& database, const std::filesystem::path& file);

/// Brings all of it into the database, in one transaction, and removes the file once that is
/// durable. Rows are known by their sequence, so doing it again after a crash repeats nothing.
/// Refuses, with nothing changed, a segment that does not belong to this database.
MergedSegment merge_segment(Database& database, const std::filesystem::path& file);

}  // namespace verbatim::storage
