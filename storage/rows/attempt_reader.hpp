// Reads an attempt's transcript: what the relay heard, merged with the posted copies.
//
// On the database's thread, inside a transaction or savepoint of the caller. Changes nothing. All
// throw StorageError.
#pragma once

#include <optional>
#include <string>

#include "session/transcript/journal.hpp"
#include "session/transcript/merge/merge.hpp"

namespace verbatim::sqlite {
class Database;
}  // namespace verbatim::sqlite

namespace verbatim::rows {

struct AttemptRow {
  transcript::AttemptId id = 0;
  int number = 0;
  transcript::SessionStatus status = transcript::SessionStatus::created;
  TimeMs started_at = 0;
  std::optional<TimeMs> ended_at;
  std::optional<transcript::CloseReason> close_reason;
  bool tail_pending = false;  ///< another node of the fleet may have more of it
};

/// `number`: default is the latest attempt. nullopt if there is no such session or attempt.
std::optional<AttemptRow> find_attempt(sqlite::Database& database, const std::string& session_id,
                                       std::optional<int> number = std::nullopt);

/// The relay's own transcript. After the attempt's end: as recorded then. Before: folded from the
/// durable journal rows, partial turns included.
transcript::FinalTranscript heard_by_relay(sqlite::Database& database, const AttemptRow& attempt);

/// The relay's transcript and all copies, merged.
transcript::MergedTranscript merged_transcript(sqlite::Database& database,
                                               const AttemptRow& attempt);

}  // namespace verbatim::rows
