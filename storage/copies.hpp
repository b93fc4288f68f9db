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

#include "session/copy.hpp"
#include "session/journal.hpp"

namespace verbatim::storage {

class Database;
struct AttemptRow;

struct PostedCopy {
  std::string session_id;
  std::optional<int> attempt;  ///< none: the latest. One behind the latest is opened if none runs
  session::Copy copy;
  session::TimeMs now = 0;
  std::size_t copies_max = 10'000;  ///< of one attempt; one more is refused (too_many)
};

struct KeptCopy {
  std::int64_t id = 0;  ///< of the copy, or of the same one that was there before
  session::AttemptId attempt = 0;
  int attempt_number = 0;
  bool is_new = false;
};

/// Keeps the copy. A final attempt's counts and completeness are brought up to date.
/// not_found: no such session or attempt.
KeptCopy keep_copy(Database& database, const PostedCopy& posted);

/// Brings the counts that summaries show up to date, where others than the relay have posted.
void recount(Database& database, const AttemptRow& attempt);

/// The attempt's copies up to and including `last`, oldest first.
std::vector<session::Copy> copies_of(Database& database, session::AttemptId attempt,
                                     std::int64_t last = INT64_MAX);

}  // namespace verbatim::storage
