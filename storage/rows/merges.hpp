// Merges posted copies outside the journal's thread, caches the results, and records the counts.
//
// A merge takes milliseconds to seconds, which the journal's thread does not have. So the
// transaction of a post keeps the copy and marks the attempt. A thread with its own connection then
// merges, and note_merge() records the result in one short change. If the process dies in between,
// the mark remains and the next process merges.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "session/transcript/merge/merge.hpp"
#include "storage/rows/attempt_reader.hpp"
#include "storage/store/call.hpp"

namespace verbatim::sqlite {
class Database;
}  // namespace verbatim::sqlite

namespace verbatim::rows {

store::MergeLane merge_lane(sqlite::Database& database, transcript::AttemptId attempt);
/// For all attempts of a session together; nullopt: it has no posted copies.
std::optional<store::MergeLane> merge_lane(sqlite::Database& database,
                                           const std::string& session_id);

/// The result of merging the copies that an attempt's counts lack.
struct MergeNews {
  transcript::AttemptId attempt = 0;
  std::int64_t from = 0;        ///< the mark (attempt.to_merge) that was found
  std::int64_t up_to = 0;       ///< the last copy that was merged
  std::vector<TimeMs> changed;  ///< when the copies that changed something were posted
  std::size_t turns = 0;
  bool complete = false;
};

/// The marked attempts of this lane, oldest first.
std::vector<transcript::AttemptId> attempts_to_merge(sqlite::Database& database,
                                                     store::MergeLane lane, std::size_t limit);

/// In a transaction of the journal: updates the counts and announces the changes. Does nothing if
/// another thread has recorded them already.
void note_merge(sqlite::Database& database, const MergeNews& news);

struct MergedCopies {
  transcript::MergedTranscript transcript;
  transcript::Contribution brought;  ///< by the last copy of the merge
};

/// Caches merged transcripts and decoded copies. A second read merges nothing, and the next post
/// reads no copy twice. Keeps the attempts used last, as many as fit.
///
/// On the database's thread, inside a transaction or savepoint of the caller. Throws StorageError.
class MergeCache {
 public:
  /// `bytes_max`: bytes of stored copies; 0 keeps nothing.
  explicit MergeCache(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// The merge with the copies up to and including the id `up_to`.
  std::shared_ptr<const MergedCopies> merged(sqlite::Database& database, const AttemptRow& attempt,
                                             std::int64_t up_to = INT64_MAX);
  /// nullopt: there is nothing to record.
  std::optional<MergeNews> news(sqlite::Database& database, transcript::AttemptId attempt);

 private:
  struct CachedAttempt {
    transcript::AttemptId id = 0;
    std::vector<std::int64_t> ids;  ///< of the copies
    std::vector<transcript::Copy> copies;
    std::size_t bytes = 0;
    transcript::SessionStatus status = transcript::SessionStatus::created;
    /// By the id of the last copy; only before the relay begins and after the attempt's end. The
    /// newest results.
    std::map<std::int64_t, std::shared_ptr<const MergedCopies>> results;
  };

  CachedAttempt& brought_up_to_date(sqlite::Database& database, transcript::AttemptId id);
  void make_room();

  const std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::list<CachedAttempt> attempts_;  ///< most recently used first
};

}  // namespace verbatim::rows
