#include "storage/rows/session_list.hpp"

#include <string>
#include <utility>

#include "storage/sqlite/database.hpp"
#include "storage/store/session_cursor.hpp"
#include "storage/store/session_order.hpp"

namespace verbatim::rows {

namespace {

using store::SessionOrder;
using store::SessionSort;
using transcript::SessionStatus;

/// Values are bound, never inserted into the SQL. ?1 to ?4, then the metadata.
std::string conditions_of(const store::SessionFilter& filter) {
  std::string sql =
      " (?1 IS NULL OR coalesce(latest.status, 0) = ?1) AND (?2 IS NULL OR user = ?2)"
      " AND (?3 IS NULL OR created_at >= ?3) AND (?4 IS NULL OR created_at < ?4)";
  for (std::size_t i = 0; i < filter.metadata.size(); ++i)
    sql +=
        " AND EXISTS (SELECT 1 FROM json_each(metadata) AS member"
        " WHERE member.key = ? AND CASE WHEN member.type IN ('text', 'integer', 'real')"
        " THEN CAST(member.value AS TEXT) WHEN member.type IN ('true', 'false', 'null')"
        " THEN member.type END = ?)";
  return sql;
}

void bind_conditions(sqlite::Query& rows, const store::SessionFilter& filter,
                     const std::optional<int>& status) {
  rows.bind(status, filter.user, filter.since, filter.until);
  for (const auto& [name, value] : filter.metadata) rows.bind(name, value);
}

std::optional<int> status_of(const store::SessionFilter& filter) {
  if (!filter.status) return std::nullopt;
  return static_cast<int>(*filter.status);
}

/// SQL; null: the row id alone, which grows with the time of creation.
const char* sql_of(SessionOrder::Key key) {
  switch (key) {
    case SessionOrder::Key::ended:
      // A session that has not ended counts as the last to end.
      return "coalesce(latest.ended_at, 9223372036854775807)";
    case SessionOrder::Key::user:
      return "user";
    case SessionOrder::Key::created:
      break;
  }
  return nullptr;
}

std::string page_sql(const store::SessionFilter& filter, bool continues) {
  const SessionOrder order = order_of(filter.sort);
  const char* const key = sql_of(order.key);
  const char* const direction = order.descending ? " DESC" : "";
  const char* const beyond = order.descending ? " < " : " > ";
  std::string sql = std::string(session_columns) + " WHERE" + conditions_of(filter);
  if (continues && key)
    sql += std::string(" AND (") + key + ", session.id)" + beyond + "(?, ?)";
  else if (continues)
    sql += std::string(" AND session.id") + beyond + "?";
  sql += " ORDER BY ";
  if (key) sql += std::string(key) + direction + ", ";
  return sql + "session.id" + direction + " LIMIT ?";
}

store::SessionCursor cursor_at(SessionSort sort, const FoundSession& last) {
  store::SessionCursor cursor;
  cursor.id = last.id;
  const auto& attempts = last.summary.attempts;
  const SessionOrder::Key key = order_of(sort).key;
  if (key == SessionOrder::Key::ended)
    cursor.time = attempts.empty() ? std::nullopt : attempts.back().ended_at;
  if (key == SessionOrder::Key::user) cursor.text = last.summary.user;
  return cursor;
}

void bind_cursor(sqlite::Query& rows, SessionSort sort, const store::SessionCursor& cursor) {
  const SessionOrder::Key key = order_of(sort).key;
  if (key == SessionOrder::Key::ended) rows.bind(cursor.time.value_or(INT64_MAX));
  if (key == SessionOrder::Key::user) rows.bind(cursor.text);
  rows.bind(cursor.id);
}

std::int64_t count_sessions(sqlite::Database& database, const store::SessionFilter& filter) {
  const auto status = status_of(filter);
  sqlite::Query count = database.query("SELECT count(*) FROM (" + std::string(session_columns) +
                                       " WHERE" + conditions_of(filter) + " LIMIT ?)");
  bind_conditions(count, filter, status);
  count.bind(store::session_total_max + 1);
  return count.step() ? count.integer(0) : 0;
}

std::optional<transcript::CloseReason> close_reason_in(const sqlite::Query& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return static_cast<transcript::CloseReason>(row.integer(column));
}

}  // namespace

/// The status of a session is that of its latest attempt.
const char* const session_columns =
    "SELECT session.id, public_id, user, metadata, created_at, coalesce(latest.status, 0), private "
    "FROM session LEFT JOIN attempt AS latest ON latest.session = session.id AND latest.number = "
    "(SELECT max(number) FROM attempt WHERE session = session.id)";

FoundSession read_session(const sqlite::Query& row) {
  FoundSession found;
  found.id = row.integer(0);
  found.summary.id = row.text(1);
  found.summary.user = row.text(2);
  found.summary.metadata_json = row.text(3);
  found.summary.created_at = row.integer(4);
  found.summary.status = static_cast<SessionStatus>(row.integer(5));
  found.summary.private_json = row.text(6);
  return found;
}

std::vector<store::AttemptSummary> read_attempts(sqlite::Database& database, std::int64_t session) {
  std::vector<store::AttemptSummary> attempts;
  sqlite::Query rows = database.query(
      "SELECT number, status, started_at, ended_at, close_reason, "
      "coalesce(merged_complete, complete), model, usage, "
      "coalesce(merged_turns, (SELECT count(*) FROM turn WHERE turn.attempt = attempt.id)), "
      "coalesce((SELECT substr(text, 1, 120) FROM turn WHERE turn.attempt = attempt.id AND "
      "text <> '' ORDER BY role <> 1, ordinal LIMIT 1), ''), "
      "(SELECT max(encoding) FROM audio_run WHERE audio_run.attempt = attempt.id) "
      "FROM attempt WHERE session = ? ORDER BY number");
  rows.bind(session);
  while (rows.step()) {
    store::AttemptSummary& attempt = attempts.emplace_back();
    attempt.number = static_cast<int>(rows.integer(0));
    attempt.status = static_cast<SessionStatus>(rows.integer(1));
    attempt.started_at = rows.integer(2);
    attempt.ended_at = rows.optional_integer(3);
    attempt.close_reason = close_reason_in(rows, 4);
    attempt.complete = rows.integer(5) != 0;
    attempt.model = rows.text(6);
    attempt.usage_json = rows.text(7);
    attempt.turns = static_cast<std::size_t>(rows.integer(8));
    attempt.first_words = rows.text(9);
    if (const auto encoding = rows.optional_integer(10))
      attempt.recorded = *encoding == static_cast<int>(transcript::AudioEncoding::none)
                             ? store::Recorded::stopped
                             : store::Recorded::yes;
  }
  return attempts;
}

store::SessionPage list_sessions(sqlite::Database& database, const store::SessionFilter& filter) {
  std::optional<store::SessionCursor> cursor;
  if (!filter.cursor.empty()) {
    cursor = store::parse_session_cursor(filter.sort, filter.cursor);
    if (!cursor || cursor->made_at) throw store::unknown_cursor();
  }
  // One snapshot: the total and the page agree.
  sqlite::Savepoint snapshot(database);
  store::SessionPage page;
  std::vector<FoundSession> found;
  {
    const auto status = status_of(filter);
    sqlite::Query rows = database.query(page_sql(filter, cursor.has_value()));
    bind_conditions(rows, filter, status);
    if (cursor) bind_cursor(rows, filter.sort, *cursor);
    rows.bind(static_cast<std::int64_t>(filter.limit + 1));
    while (rows.step()) found.push_back(read_session(rows));
  }
  const bool more = found.size() > filter.limit;
  if (more) found.resize(filter.limit);
  for (FoundSession& one : found) one.summary.attempts = read_attempts(database, one.id);
  if (more && !found.empty())
    page.next_cursor = to_string(filter.sort, cursor_at(filter.sort, found.back()));
  for (FoundSession& one : found) page.sessions.push_back(std::move(one.summary));
  if (filter.total) set_total(page, count_sessions(database, filter));
  return page;
}

std::optional<FoundSession> find_listed(sqlite::Database& database,
                                        const store::SessionFilter& filter, std::int64_t id) {
  const auto status = status_of(filter);
  sqlite::Query row = database.query(std::string(session_columns) + " WHERE" +
                                     conditions_of(filter) + " AND session.id = ?");
  bind_conditions(row, filter, status);
  row.bind(id);
  if (!row.step()) return std::nullopt;
  return read_session(row);
}

}  // namespace verbatim::rows
