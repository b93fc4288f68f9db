// Lists of sessions: their conditions, their order, and pages that stay stable while sessions
// begin and end.
//
// On the database's thread. All throw StorageError.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "storage/store/session_store.hpp"

namespace verbatim::sqlite {
class Database;
class Query;
}  // namespace verbatim::sqlite

namespace verbatim::rows {

/// A session and its row id.
struct FoundSession {
  std::int64_t id = 0;
  store::SessionSummary summary;
};

/// The columns that read_session() reads, from a session and its latest attempt.
extern const char* const session_columns;
FoundSession read_session(const sqlite::Query& row);
std::vector<store::AttemptSummary> read_attempts(sqlite::Database& database, std::int64_t session);

/// Ignores `filter.question`.
store::SessionPage list_sessions(sqlite::Database& database, const store::SessionFilter& filter);

/// The session with this row id if it meets the filter's conditions; its cursor and its
/// question are ignored. Without attempts.
std::optional<FoundSession> find_listed(sqlite::Database& database,
                                        const store::SessionFilter& filter, std::int64_t id);

}  // namespace verbatim::rows
