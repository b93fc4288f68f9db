// Copies of a conversation that other writers post. Nothing is ever overwritten: a copy is a row,
// the same copy twice is one row, and a transcript is what session::merge() makes of all of them
// and of what the relay heard. So the order of the posts can not matter.
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

/// Of all copies of one attempt: what would go beyond is refused (too_many), and nothing is kept.
struct CopyLimits {
  std::size_t copies_max = 10'000;
  std::size_t turns_max = 100'000;
  std::size_t bytes_max = 64 * 1024 * 1024;  ///< as they are stored
  /// Whose limits these are, where they are a part of those that the settings name.
  const char* of = "";
  /// Why nothing new is kept, whatever there is (too_many); null: there is no reason.
  const char* nothing_new = nullptr;
};

struct PostedCopy {
  std::string session_id;
  std::optional<int> attempt;  ///< none: the latest. One behind the latest is opened if none runs
  session::Copy copy;
  TimeMs now = 0;
  CopyLimits limits = {};
  std::string body = {};  ///< encode_turns(copy.turns), if the caller has made it
};

struct KeptCopy {
  std::int64_t id = 0;  ///< of the copy, or of the same one that was there before
  session::AttemptId attempt = 0;
  int attempt_number = 0;
  bool is_new = false;
  bool merges_slowly = false;  ///< merges.hpp, MergeLane
};

/// Keeps the copy, and marks a final attempt as one whose counts are to be brought up to date: to
/// merge takes time that the journal's thread does not have (merges.hpp).
/// not_found: no such session or attempt.
KeptCopy keep_copy(Database& database, const PostedCopy& posted);

/// The relay's own part of an attempt is over: what the copies make of it is to be written down.
void mark_to_merge(Database& database, session::AttemptId attempt);

/// Of a row. Throws `corrupt`, which names the copy.
session::Copy read_copy(Database& database, std::int64_t id, std::string writer,
                        const std::string& body);

/// The attempt's copies up to and including `last`, oldest first.
std::vector<session::Copy> copies_of(Database& database, session::AttemptId attempt,
                                     std::int64_t last = INT64_MAX);

}  // namespace verbatim::storage
