// Moves sessions into this store and out of it (storage/store/moving_store.hpp).
//
// On the database's thread, each in the caller's transaction. All throw StorageError.
#pragma once

#include <string>
#include <vector>

#include "storage/store/moving_store.hpp"

namespace verbatim::sqlite {
class Database;
}  // namespace verbatim::sqlite

namespace verbatim::rows {

/// How many numbers import_session() needs for the session's events.
transcript::Sequence numbers_of(const store::MovedSession& session);
/// `last`: the last of these numbers.
bool import_session(sqlite::Database& database, const store::MovedSession& session,
                    transcript::Sequence last);
/// The attempt's events up to this number came from the database elsewhere.
transcript::Sequence taken_upto(sqlite::Database& database, transcript::AttemptId attempt);
void forget_session(sqlite::Database& database, const std::string& id);
std::vector<store::OpenSession> open_sessions(sqlite::Database& database);
std::vector<store::StoredSession> find_stored(sqlite::Database& database,
                                              const std::vector<std::string>& ids);
std::vector<store::Tail> tails_of(sqlite::Database& database, const std::string& id,
                                  transcript::Sequence shipped);
std::vector<store::AttemptName> pending_tails(sqlite::Database& database);
void end_pending_tail(sqlite::Database& database, const store::AttemptName& attempt);

}  // namespace verbatim::rows
