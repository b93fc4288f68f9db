// What an attempt's transcript is made of: what the relay heard, and the copies that were posted.
//
// On the database's thread, inside a transaction or savepoint of the caller's. Changes nothing.
// All throw StorageError.
#pragma once

#include <optional>
#include <string>

#include "session/transcript/merge/merge.hpp"
#include "session/transcript/render/render.hpp"
#include "storage/store/attempt.hpp"

namespace verbatim::storage {

class Database;

struct AttemptRow {
  session::AttemptId id = 0;
  int number = 0;
  session::SessionStatus status = session::SessionStatus::created;
  TimeMs started_at = 0;
  std::optional<TimeMs> ended_at;
  std::optional<session::CloseReason> close_reason;
};

/// Default: the latest. nullopt if there is no such session or attempt.
std::optional<AttemptRow> find_attempt(Database& database, const std::string& session_id,
                                       std::optional<int> number = std::nullopt);

/// As recorded at its end; of one that runs, folded from the journal: what is durable, partial
/// turns included.
session::FinalTranscript heard_by_relay(Database& database, const AttemptRow& attempt);

/// All that is known, as one transcript.
session::MergedTranscript merged_transcript(Database& database, const AttemptRow& attempt);

}  // namespace verbatim::storage
