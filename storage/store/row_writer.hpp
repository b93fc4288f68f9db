// The writing of records: sessions, attempts, journal rows, turns. Each function is one or a few
// statements in the caller's transaction; the writer, recovery and the store's changes share them,
// so that a close and a recovery leave the same behind by construction.
//
// On the database's thread. All throw StorageError. None deletes in order to insert.
#pragma once

#include <cstdint>
#include <string>

#include "session/transcript/journal.hpp"
#include "storage/store/attempt.hpp"

namespace verbatim::storage {

class Database;

/// Makes the session unless it is there; its id, or not_found if it belongs to another user.
std::int64_t require_session(Database& database, const AttemptSpec& spec);

/// The next attempt of a session, live, whose journal rows will all lie behind `first_seq`.
OpenedAttempt insert_attempt(Database& database, const AttemptSpec& spec,
                             session::Sequence first_seq);

void insert_event(Database& database, session::Sequence seq, session::AttemptId attempt, TimeMs at,
                  const std::string& body);

/// Inserts the turn or brings it up to date. A known ordinal is not forgotten for an unknown one:
/// for that, what is stored is minus `expected`, which stands for "not known" and keeps the room of
/// the ordinal to come. With a row of the same size SQLite writes only the pages that change, so
/// that the end of an attempt does not write all of its text again.
void upsert_turn(Database& database, session::AttemptId attempt, const session::Turn& turn,
                 int expected = 0);

/// All turns and the attempt's own ending. An attempt ends once: later endings change nothing.
void finalise_attempt(Database& database, session::AttemptId attempt,
                      const session::Ending& ending);

/// Of an attempt that has not ended: live, or detached.
void mark_attempt(Database& database, session::AttemptId attempt, session::SessionStatus status);

/// Nobody carries the attempt on for now; whoever does needs this.
void suspend_attempt(Database& database, session::AttemptId attempt,
                     const session::Handover& handover);
/// It is carried on. False if it was not suspended.
bool resume_attempt(Database& database, session::AttemptId attempt);

/// The highest sequence ever used for a journal row, pruned ones included.
session::Sequence highest_sequence(Database& database);

/// Journal rows whose text is in the transcript table, or is to be forgotten.
void delete_events_before(Database& database, session::Sequence end);
void delete_events_of(Database& database, session::AttemptId attempt, session::Sequence from);

bool is_clean(Database& database);
void set_clean(Database& database, bool clean);

}  // namespace verbatim::storage
