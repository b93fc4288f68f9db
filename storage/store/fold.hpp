// An attempt's journal rows folded through the transcript engine: what recovery finalises and what
// a reader of a live attempt sees are the same thing.
//
// On the database's thread. Changes nothing. Throws StorageError.
#pragma once

#include <cstddef>
#include <memory>

#include "session/transcript/transcript.hpp"
#include "storage/store/attempt.hpp"

namespace verbatim::storage {

class Database;

struct Folded {
  session::Transcript transcript;
  std::size_t rows = 0;        ///< rows that were folded
  std::size_t unreadable = 0;  ///< rows that could not be
  TimeMs last_at = 0;          ///< the latest of all rows, readable or not; 0 if there is none
};

/// Where a long conversation is laid down while it is folded, if it is to be carried on.
struct FoldInto {
  std::unique_ptr<session::Spill> spill;  ///< null: all stays in memory, but for large items' JSON
  std::size_t items_in_memory = 0;
};
Folded fold(Database& database, session::AttemptId attempt, session::Sequence first_seq,
            FoldInto into = {});

}  // namespace verbatim::storage
