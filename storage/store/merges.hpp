// The merging of posted copies, beside the journal: what it reads and keeps, and what it writes
// down.
//
// A merge takes milliseconds to seconds, and the journal's thread has none to spare. So the
// transaction of a post keeps the copy and marks the attempt; a thread with a connection of its own
// merges; what came of it is one short change. A process that dies in between leaves the mark: the
// next one makes it good.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "session/transcript/merge/merge.hpp"
#include "storage/store/attempt_reader.hpp"

namespace verbatim::storage {

class Database;

/// Whether the copies of an attempt are few and short enough to be merged in some milliseconds, or,
/// whatever is in them, in a tenth of a second or so. Others may take a second or more: they have a
/// thread of their own, so that what is quick waits for nothing else.
enum class MergeLane { quick, slow };
MergeLane merge_lane(Database& database, session::AttemptId attempt);
/// Of all its attempts together; nullopt: nobody has posted copies of it.
std::optional<MergeLane> merge_lane(Database& database, const std::string& session_id);

/// What of an attempt's copies is not in its counts yet, merged.
struct MergeNews {
  session::AttemptId attempt = 0;
  std::int64_t from = 0;        ///< the mark that was found
  std::int64_t up_to = 0;       ///< the last copy that was merged
  std::vector<TimeMs> changed;  ///< when those copies were posted that changed something
  std::size_t turns = 0;
  bool complete = false;
};

/// Attempts of this lane that are marked, oldest first.
std::vector<session::AttemptId> attempts_to_merge(Database& database, MergeLane lane,
                                                  std::size_t limit);

/// In a transaction of the journal's: brings the counts up to date and announces what has changed.
/// Nothing, if others have written it down meanwhile.
void note_merge(Database& database, const MergeNews& news);

struct MergedCopies {
  session::MergedTranscript transcript;
  session::Contribution brought;  ///< by the last copy that is in it
};

/// What was merged last, so that reading a transcript again merges nothing, and the next post of
/// an attempt reads no copy twice. Keeps the attempts that were asked for last, as many as fit.
///
/// On the database's thread, inside a transaction or savepoint of the caller's. Throws
/// StorageError.
class MergeCache {
 public:
  /// `bytes_max`: of copies as they are stored; 0 keeps nothing.
  explicit MergeCache(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// With the copies up to and including `up_to`.
  std::shared_ptr<const MergedCopies> merged(Database& database, const AttemptRow& attempt,
                                             std::int64_t up_to = INT64_MAX);
  /// nullopt: there is nothing to write down.
  std::optional<MergeNews> news(Database& database, session::AttemptId attempt);

 private:
  struct CachedAttempt {
    session::AttemptId id = 0;
    std::vector<std::int64_t> ids;  ///< of the copies
    std::vector<session::Copy> copies;
    std::size_t bytes = 0;
    session::SessionStatus status = session::SessionStatus::created;
    /// While the relay has not begun and when it is over, by the last copy: the newest ones.
    std::map<std::int64_t, std::shared_ptr<const MergedCopies>> results;
  };

  CachedAttempt& brought_up_to_date(Database& database, session::AttemptId id);
  void make_room();

  const std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::list<CachedAttempt> attempts_;  ///< the one that was asked for last in front
};

}  // namespace verbatim::storage
