// Copies of a conversation that other writers post. Nothing is overwritten: each copy is a row, and
// an identical copy adds no row. The transcript is session::merge() of all copies and of what the
// relay heard, so the order of the posts does not matter.
//
// On the database's thread; each function is part of the caller's transaction. All throw
// StorageError.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "session/transcript/journal.hpp"
#include "session/transcript/merge/copy.hpp"

namespace verbatim::storage {

class Database;

/// Limits on the sum of one attempt's copies. A copy beyond them is refused (too_many) and not
/// kept.
struct CopyLimits {
  std::size_t copies_max = 10'000;
  std::size_t turns_max = 100'000;
  std::size_t bytes_max = 64 * 1024 * 1024;  ///< as they are stored
  /// Appended to the error message if these limits are only a part of the configured ones.
  const char* of = "";
  /// If set, every new copy is refused (too_many) with this text.
  const char* nothing_new = nullptr;
};

struct PostedCopy {
  std::string session_id;
  std::optional<int> attempt;  ///< none: the latest. Latest + 1 is made if none runs
  session::Copy copy;
  TimeMs now = 0;
  CopyLimits limits = {};
  std::string body = {};  ///< encode_turns(copy.turns), if the caller has it already
};

struct KeptCopy {
  std::int64_t id = 0;  ///< of this copy, or of the identical one that was there before
  session::AttemptId attempt = 0;
  int attempt_number = 0;
  bool is_new = false;
  bool merges_slowly = false;  ///< merges.hpp, MergeLane
};

/// Keeps the copy and marks a final attempt so that its counts are updated later: merging takes
/// more time than the journal's thread has (merges.hpp). not_found: no such session or attempt.
KeptCopy keep_copy(Database& database, const PostedCopy& posted);

/// Call it when the relay's part of an attempt has ended: marks the attempt so that its copies are
/// merged.
void mark_to_merge(Database& database, session::AttemptId attempt);

/// Decodes a row. Throws `corrupt`, with the number of the copy.
session::Copy read_copy(Database& database, std::int64_t id, std::string writer,
                        const std::string& body);

/// The attempt's copies up to and including the id `last`, oldest first.
std::vector<session::Copy> copies_of(Database& database, session::AttemptId attempt,
                                     std::int64_t last = INT64_MAX);

}  // namespace verbatim::storage
