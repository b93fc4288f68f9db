// Folds an attempt's journal rows into a transcript. Recovery and the readers of a live attempt use
// the same code, so both get the same transcript.
//
// On the database's thread. Changes nothing. Throws StorageError.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "session/transcript/journal.hpp"
#include "session/transcript/transcript.hpp"

namespace verbatim::sqlite {
class Database;
}  // namespace verbatim::sqlite

namespace verbatim::rows {

struct Folded {
  transcript::Transcript transcript;
  std::size_t rows = 0;        ///< rows that were folded
  std::size_t unreadable = 0;  ///< rows that could not be decoded
  std::string settings_json;   ///< as the last SettingsChanged had it; empty: there was none
  TimeMs last_at = 0;          ///< the latest time of all rows, readable or not; 0 if there is none
};

/// The destination of a long conversation's older items during a fold, if the attempt will
/// continue.
struct FoldInto {
  std::unique_ptr<transcript::Spill>
      spill;  ///< null: all stays in memory, except large items' JSON
  std::size_t items_in_memory = 0;
};
/// `upto`: the last journal row that is folded.
Folded fold(sqlite::Database& database, transcript::AttemptId attempt,
            transcript::Sequence first_seq, FoldInto into = {},
            transcript::Sequence upto = INT64_MAX);

}  // namespace verbatim::rows
