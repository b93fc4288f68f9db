// The index of recorded audio: rows that are written with the journal's events, because these are
// deleted after the end of their attempt.
//
// On the database's thread, in the caller's transaction. All throw StorageError.
#pragma once

#include <string>

#include "session/transcript/journal.hpp"
#include "storage/store/recording_store.hpp"

namespace verbatim::sqlite {
class Database;
}  // namespace verbatim::sqlite

namespace verbatim::rows {

void upsert_audio_run(sqlite::Database& database, transcript::AttemptId attempt,
                      const transcript::AudioPlaced& run);

/// nullopt if there is no such session or attempt.
std::optional<store::RecordedAttempt> recorded_attempt(sqlite::Database& database,
                                                       const std::string& session_id,
                                                       std::optional<int> number);

}  // namespace verbatim::rows
