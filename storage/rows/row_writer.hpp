// Writes the records: sessions, attempts, journal rows, turns. Each function is a few statements in
// the caller's transaction. The writer, recovery and the store's changes share them, so a close and
// a recovery leave the same records.
//
// On the database's thread. All throw StorageError. None deletes a row in order to insert it again.
#pragma once

#include <cstdint>
#include <string>

#include "session/transcript/journal.hpp"
#include "storage/store/attempt.hpp"

namespace verbatim::sqlite {
class Database;
}  // namespace verbatim::sqlite

namespace verbatim::rows {

/// Makes the session unless it exists; returns its row id. Throws not_found if it belongs to
/// another user.
std::int64_t require_session(sqlite::Database& database, const store::AttemptSpec& spec);

/// Opens the session's next attempt as live. None of its journal rows is before `first_seq`.
store::OpenedAttempt insert_attempt(sqlite::Database& database, const store::AttemptSpec& spec,
                                    transcript::Sequence first_seq);

void insert_event(sqlite::Database& database, transcript::Sequence seq,
                  transcript::AttemptId attempt, TimeMs at, const std::string& body);

/// Inserts or updates the turn. An unknown ordinal does not replace a known one.
/// - `expected`: the ordinal that the turn will probably get. An unknown ordinal is stored as minus
///   this number, which takes the same space. While a row keeps its size, SQLite writes only the
///   pages that change, so the end of an attempt does not write all its text again.
void upsert_turn(sqlite::Database& database, transcript::AttemptId attempt,
                 const transcript::Turn& turn, int expected = 0);

/// Writes all turns and the attempt's end. An attempt ends once: later calls change nothing.
void finalise_attempt(sqlite::Database& database, transcript::AttemptId attempt,
                      const transcript::Ending& ending);

/// Gives the attempt the next number of change: its stored transcript is new or differs. The search
/// index follows these numbers. Call it in the transaction of the change.
void note_change(sqlite::Database& database, transcript::AttemptId attempt);

/// Sets the status, live or detached, of an attempt that has not ended.
void mark_attempt(sqlite::Database& database, transcript::AttemptId attempt,
                  transcript::SessionStatus status);

/// Records that the attempt waits for another process, with the values that it needs to continue.
void suspend_attempt(sqlite::Database& database, transcript::AttemptId attempt,
                     const transcript::Handover& handover);
/// Records that the attempt's process was killed, and that it waits for its client from `now` on.
/// `counts`: as one more start that has left it so.
void leave_recovering(sqlite::Database& database, transcript::AttemptId attempt, TimeMs now,
                      bool counts);
/// Makes a suspended or recovering attempt live again. False if it was neither.
bool resume_attempt(sqlite::Database& database, transcript::AttemptId attempt);

/// The highest sequence number ever used for a journal row or a tracked change, deleted ones
/// included.
transcript::Sequence highest_sequence(sqlite::Database& database);
/// Call it before rows or changes are deleted: a number is never used again.
void remember_highest(sqlite::Database& database);

/// Deletes journal rows whose text is in the turn table, or is to be erased.
void delete_events_before(sqlite::Database& database, transcript::Sequence end);
/// Deletes the journal rows of attempts that have ended, from the row `from` to the row `to`.
/// Returns their number.
std::int64_t delete_events_of_ended(sqlite::Database& database, transcript::Sequence from,
                                    transcript::Sequence to);
struct SweptRows {
  transcript::Sequence last = 0;  ///< of the rows that were read; 0: there is none
  std::int64_t rows = 0;
  std::int64_t needless = 0;  ///< of them, those of attempts that have ended
};
/// Looks at the first `limit` rows from `from` to `to`.
SweptRows look_for_ended(sqlite::Database& database, transcript::Sequence from,
                         transcript::Sequence to, transcript::Sequence limit);
void delete_events_of(sqlite::Database& database, transcript::AttemptId attempt,
                      transcript::Sequence from);

bool is_clean(sqlite::Database& database);
void set_clean(sqlite::Database& database, bool clean);

}  // namespace verbatim::rows
