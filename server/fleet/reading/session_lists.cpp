#include "server/fleet/reading/session_lists.hpp"

#include <map>
#include <string>
#include <utility>

#include "base/utf8.hpp"
#include "server/fleet/database/shipped_rows.hpp"
#include "server/fleet/reading/session_rows.hpp"
#include "storage/store/session_cursor.hpp"
#include "storage/store/session_order.hpp"

namespace verbatim::reading {

using database::Array;
using database::Connection;
using database::DatabaseResult;
using database::Params;
using database::Rows;
using store::SessionOrder;
using store::SessionSort;

namespace {

constexpr const char* from_sessions = R"sql(
FROM session LEFT JOIN LATERAL (
  SELECT status, ended_at FROM attempt WHERE attempt.session = session.id
  ORDER BY attempt.number DESC LIMIT 1) AS latest ON true
WHERE true)sql";

/// A member of a JSON object as text. JSON with an escaped NUL has no text in this database.
constexpr const char* metadata_condition_begin =
    " AND CASE WHEN position('\\x5c7530303030'::bytea IN metadata) > 0 THEN false ELSE EXISTS "
    "(SELECT 1 FROM json_each(convert_from(metadata, 'UTF8')::json) AS member WHERE member.key = ";
constexpr const char* metadata_condition_middle =
    " AND CASE json_typeof(member.value) WHEN 'string' THEN member.value #>> '{}' "
    "WHEN 'number' THEN member.value::text WHEN 'boolean' THEN member.value::text "
    "WHEN 'null' THEN 'null' END = ";

/// Conditions with their parameters, in the order in which they stand in the text.
class Conditions {
 public:
  explicit Conditions(const store::SessionFilter& filter) {
    if (filter.status) {
      sql += " AND coalesce(latest.status, 0) = " + next();
      params.add_int4(static_cast<std::int32_t>(*filter.status));
    }
    if (filter.user) {
      sql += " AND user_name = " + next();
      params.add_bytes(*filter.user);
    }
    if (filter.since) add_time(" AND created_at >= ", *filter.since);
    if (filter.until) add_time(" AND created_at < ", *filter.until);
    for (const auto& [name, value] : filter.metadata) add_member(name, value);
  }

  void add_time(const char* condition, TimeMs time) {
    sql += condition + next();
    params.add(time);
  }
  std::string next() const { return "$" + std::to_string(params.count() + 1); }

  std::string sql;
  Params params;

 private:
  void add_member(const std::string& name, const std::string& value) {
    if (!database::is_storable_text(name) || !database::is_storable_text(value)) {
      sql += " AND false";
      return;
    }
    sql += metadata_condition_begin + next();
    params.add_text(name);
    sql += metadata_condition_middle + next() + ") END";
    params.add_text(value);
  }
};

/// The value that a list is sorted by before the time of creation. SQL; null: none.
const char* sql_of(SessionOrder::Key key) {
  switch (key) {
    case SessionOrder::Key::ended:
      return "coalesce(latest.ended_at, 9223372036854775807)";
    case SessionOrder::Key::user:
      return "user_name";
    case SessionOrder::Key::created:
      break;
  }
  return nullptr;
}

void add_cursor(Conditions& to, SessionSort sort, const store::SessionCursor& cursor) {
  const SessionOrder order = order_of(sort);
  std::string columns;
  std::string values;
  if (const char* const key = sql_of(order.key)) {
    columns = std::string(key) + ", ";
    values = to.next() + ", ";
    if (order.key == SessionOrder::Key::user) {
      to.params.add_bytes(cursor.text);
    } else {
      to.params.add(std::int64_t{cursor.time.value_or(INT64_MAX)});
    }
  }
  values += to.next() + ", ";
  to.params.add(std::int64_t{*cursor.made_at});
  values += to.next();
  to.params.add(cursor.id);
  to.sql += " AND (" + columns + "created_at, session.number) " + (order.descending ? "<" : ">") +
            " (" + values + ")";
}

std::string order_sql(SessionSort sort) {
  const SessionOrder order = order_of(sort);
  const char* const direction = order.descending ? " DESC" : "";
  std::string sql = " ORDER BY ";
  if (const char* const key = sql_of(order.key)) sql += std::string(key) + direction + ", ";
  return sql + "created_at" + direction + ", session.number" + direction;
}

/// A session of a page, and a cursor to it.
struct Listed {
  store::SessionSummary summary;
  store::SessionCursor cursor;
};

Listed listed_in(const Rows& rows, int row, SessionSort sort) {
  Listed one;
  one.summary.id = rows.text(row, 0);
  one.summary.user = rows.bytes(row, 1);
  one.summary.metadata_json = rows.bytes(row, 2);
  one.summary.created_at = rows.integer(row, 3);
  one.summary.status = static_cast<transcript::SessionStatus>(rows.integer(row, 4));
  one.summary.private_json = rows.bytes(row, 5);
  one.cursor.id = rows.integer(row, 6);
  one.cursor.made_at = one.summary.created_at;
  const SessionOrder::Key key = order_of(sort).key;
  if (key == SessionOrder::Key::user) one.cursor.text = one.summary.user;
  if (key == SessionOrder::Key::ended && !rows.is_null(row, 7))
    one.cursor.time = rows.integer(row, 7);
  return one;
}

store::AttemptSummary attempt_summary_in(const Rows& rows, int row) {
  store::AttemptSummary attempt;
  attempt.number = static_cast<int>(rows.integer(row, 1));
  attempt.status = static_cast<transcript::SessionStatus>(rows.integer(row, 2));
  attempt.started_at = rows.integer(row, 3);
  if (!rows.is_null(row, 4)) attempt.ended_at = rows.integer(row, 4);
  if (!rows.is_null(row, 5))
    attempt.close_reason = static_cast<transcript::CloseReason>(rows.integer(row, 5));
  attempt.complete = rows.flag(row, 6);
  attempt.model = rows.bytes(row, 7);
  attempt.usage_json = rows.bytes(row, 8);
  attempt.turns = static_cast<std::size_t>(rows.integer(row, 9));
  attempt.tail_pending = rows.flag(row, 10);
  attempt.first_words = rows.bytes(row, 11);
  // The database has cut it between two bytes.
  for (int removed = 0; removed < 3 && !utf8::is_wtf8(attempt.first_words); ++removed)
    attempt.first_words.pop_back();
  return attempt;
}

/// A tail is pending only if the attempt's node does not answer: its lease is over.
const std::string attempts_of_page = database::sql(
    "SELECT session, number, status, started_at, ended_at, close_reason, "
    "coalesce(merged_complete, complete), model, usage, "
    "coalesce(merged_turns, (SELECT count(*) FROM turn WHERE turn.session = attempt.session AND "
    "turn.attempt = attempt.number)), ",
    tail_is_open,
    " AND NOT EXISTS (SELECT 1 FROM node WHERE node.incarnation = attempt.owner AND node.alive AND "
    "node.lease_until >= now()), "
    "coalesce((SELECT substring(text FROM 1 FOR 360) FROM turn WHERE turn.session = "
    "attempt.session AND turn.attempt = attempt.number AND length(text) > 0 "
    "ORDER BY role <> 1, ordinal LIMIT 1), '') "
    "FROM attempt WHERE session = ANY ($1) ORDER BY session, number");

DatabaseResult<> add_attempts(Connection& connection, std::vector<Listed>& page) {
  Array ids(Array::Element::text);
  std::map<std::string, store::SessionSummary*> by_id;
  for (Listed& one : page) {
    ids.add(one.summary.id);
    by_id[one.summary.id] = &one.summary;
  }
  Params params;
  params.add(ids);
  auto rows = connection.run({"", attempts_of_page.c_str()}, params);
  if (!rows) return tl::unexpected(std::move(rows.error()));
  for (int row = 0; row < rows->count(); ++row)
    by_id.at(rows->text(row, 0))->attempts.push_back(attempt_summary_in(*rows, row));
  return {};
}

DatabaseResult<store::SessionPage> read_page(Connection& connection,
                                             const store::SessionFilter& filter,
                                             const std::optional<store::SessionCursor>& cursor) {
  store::SessionPage page;
  const Conditions all(filter);
  if (filter.total) {
    const std::string count = std::string("SELECT count(*) FROM (SELECT 1 ") + from_sessions +
                              all.sql + " LIMIT " + std::to_string(store::session_total_max + 1) +
                              ") AS counted";
    auto counted = connection.run({"", count.c_str()}, all.params);
    if (!counted) return tl::unexpected(std::move(counted.error()));
    set_total(page, counted->integer(0, 0));
  }
  Conditions behind(filter);
  if (cursor) add_cursor(behind, filter.sort, *cursor);
  const std::string sql =
      std::string(
          "SELECT session.id, user_name, metadata, created_at, coalesce(latest.status, 0), "
          "private, session.number, latest.ended_at ") +
      from_sessions + behind.sql + order_sql(filter.sort) + " LIMIT " +
      std::to_string(filter.limit + 1);
  auto rows = connection.run({"", sql.c_str()}, behind.params);
  if (!rows) return tl::unexpected(std::move(rows.error()));
  std::vector<Listed> found;
  for (int row = 0; row < rows->count(); ++row) found.push_back(listed_in(*rows, row, filter.sort));
  const bool more = found.size() > filter.limit;
  if (more) found.resize(filter.limit);
  if (more && !found.empty()) page.next_cursor = to_string(filter.sort, found.back().cursor);
  if (auto added = add_attempts(connection, found); !added)
    return tl::unexpected(std::move(added.error()));
  for (Listed& one : found) page.sessions.push_back(std::move(one.summary));
  return page;
}

}  // namespace

DatabaseResult<store::StoreResult<store::SessionPage>> list_sessions(
    Connection& connection, const store::SessionFilter& filter) {
  std::optional<store::SessionCursor> cursor;
  if (!filter.cursor.empty()) {
    cursor = store::parse_session_cursor(filter.sort, filter.cursor);
    if (!cursor || !cursor->made_at)
      return store::StoreResult<store::SessionPage>(tl::unexpect, store::unknown_cursor());
  }
  auto page = read_in_snapshot<store::SessionPage>(
      connection, [&] { return read_page(connection, filter, cursor); });
  if (!page) return tl::unexpected(std::move(page.error()));
  return store::StoreResult<store::SessionPage>(*std::move(page));
}

}  // namespace verbatim::reading
