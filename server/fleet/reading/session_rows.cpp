#include "server/fleet/reading/session_rows.hpp"

#include <string>
#include <utility>

#include "server/fleet/database/shipped_rows.hpp"

namespace verbatim::reading {

using database::Columns;
using database::Connection;
using database::DatabaseResult;
using database::Params;
using database::Statement;

namespace {

constexpr Statement size_statement{"", R"sql(
SELECT (SELECT coalesce(sum(octet_length(body) + 100), 0) FROM event WHERE session = $1) +
       (SELECT coalesce(sum(octet_length(text) + coalesce(octet_length(heard_text), 0) + 300), 0)
        FROM turn WHERE session = $1) +
       (SELECT coalesce(sum(octet_length(arguments) + coalesce(octet_length(output), 0) + 300), 0)
        FROM tool_call WHERE session = $1) +
       (SELECT coalesce(sum(octet_length(body) + 100), 0) FROM copy WHERE session = $1))sql"};

const std::string session_sql =
    database::sql("SELECT ", database::session_columns, " FROM session WHERE id = $1");
const std::string attempts_sql =
    database::sql("SELECT ", database::attempt_columns, ", ", tail_is_open,
                  " FROM attempt WHERE session = $1 ORDER BY number");
const std::string turns_sql = database::sql(
    "SELECT ", database::turn_columns, " FROM turn WHERE session = $1 AND attempt = $2 ORDER BY ",
    database::order_of_turns);
const std::string tool_calls_sql =
    database::sql("SELECT ", database::tool_call_columns,
                  " FROM tool_call WHERE session = $1 AND attempt = $2 ORDER BY number");
const std::string events_sql = database::sql(
    "SELECT event.seq, event.at, event.body FROM event JOIN attempt ON "
    "attempt.session = event.session AND attempt.number = event.attempt "
    "WHERE event.session = $1 AND event.attempt = $2 ORDER BY ",
    database::order_of_events);
const std::string copies_sql = database::sql(
    "SELECT ", database::copy_columns, " FROM copy WHERE session = $1 AND attempt = $2 ORDER BY ",
    database::order_of_copies);
const std::string token_sql =
    database::sql("SELECT ", database::token_columns, " FROM client_secret WHERE id = $1");

store::ShippedEvent read_event(Columns& from) {
  store::ShippedEvent event;
  event.seq = static_cast<transcript::Sequence>(from.integer());
  event.at = from.integer();
  event.body = from.bytes();
  return event;
}

/// Reads the rows of one session in the transaction of the connection.
class RowsOfSession {
 public:
  RowsOfSession(Connection& connection, const std::string& id) : connection_(connection), id_(id) {
    of_session_.add_text(id_);
  }

  DatabaseResult<FoundRows> read(const RowsWanted& wanted, std::size_t bytes_max, bool lock) {
    const std::string session = session_sql + (lock ? " FOR UPDATE" : "");
    auto row = connection_.run({"", session.c_str()}, of_session_);
    if (!row) return tl::unexpected(std::move(row.error()));
    FoundRows found;
    if (row->count() == 0) return found;
    if (wanted.content) {
      auto size = connection_.run(size_statement, of_session_);
      if (!size) return tl::unexpected(std::move(size.error()));
      if (const auto bytes = static_cast<std::size_t>(size->integer(0, 0)); bytes > bytes_max) {
        found.too_large = bytes;
        return found;
      }
    }
    Columns columns(*row, 0);
    found.rows.emplace().session = database::read_session(columns, id_);
    if (auto done = add_attempts(*found.rows, wanted); !done) return tl::unexpected(done.error());
    if (auto done = add_token(*found.rows, wanted); !done) return tl::unexpected(done.error());
    return found;
  }

 private:
  DatabaseResult<> add_attempts(store::SessionRows& to, const RowsWanted& wanted) {
    auto rows = connection_.run({"", attempts_sql.c_str()}, of_session_);
    if (!rows) return tl::unexpected(std::move(rows.error()));
    for (int row = 0; row < rows->count(); ++row) {
      Columns columns(*rows, row);
      store::ImageAttempt& one = to.attempts.emplace_back();
      one.attempt = database::read_attempt(columns, id_);
      one.tail_pending = columns.flag();
    }
    if (!wanted.content || to.attempts.empty()) return {};
    const int only = wanted.attempt.value_or(to.attempts.back().attempt.name.number);
    for (store::ImageAttempt& one : to.attempts) {
      if (wanted.one_attempt && one.attempt.name.number != only) continue;
      if (auto done = add_content(one); !done) return done;
    }
    return {};
  }

  DatabaseResult<> add_content(store::ImageAttempt& to) {
    Params of;
    of.add_text(id_).add_int4(to.attempt.name.number);
    const auto add = [&](const std::string& statement, auto& list,
                         auto read_one) -> DatabaseResult<> {
      auto rows = connection_.run({"", statement.c_str()}, of);
      if (!rows) return tl::unexpected(std::move(rows.error()));
      for (int row = 0; row < rows->count(); ++row) {
        Columns columns(*rows, row);
        list.push_back(read_one(columns));
      }
      return {};
    };
    if (auto done = add(turns_sql, to.turns, database::read_turn); !done) return done;
    if (auto done = add(tool_calls_sql, to.tool_calls, database::read_tool_call); !done)
      return done;
    if (!to.attempt.ended_at) {
      if (auto done = add(events_sql, to.events, read_event); !done) return done;
    }
    return add(copies_sql, to.copies,
               [&](Columns& columns) { return database::read_copy(columns, to.attempt.name); });
  }

  DatabaseResult<> add_token(store::SessionRows& to, const RowsWanted& wanted) {
    if (!wanted.token || !database::is_storable_text(*wanted.token)) return {};
    Params of;
    of.add_text(*wanted.token);
    auto rows = connection_.run({"", token_sql.c_str()}, of);
    if (!rows) return tl::unexpected(std::move(rows.error()));
    if (rows->count() == 0) return {};
    Columns columns(*rows, 0);
    to.tokens.push_back(database::read_token(columns));
    return {};
  }

  Connection& connection_;
  const std::string& id_;
  Params of_session_;
};

}  // namespace

DatabaseResult<FoundRows> read_session_rows(Connection& connection, const std::string& session_id,
                                            const RowsWanted& wanted, std::size_t bytes_max) {
  if (!database::is_storable_text(session_id)) return FoundRows{};
  return read_in_snapshot<FoundRows>(connection, [&] {
    return RowsOfSession(connection, session_id).read(wanted, bytes_max, false);
  });
}

DatabaseResult<FoundRows> lock_session_rows(Connection& connection, const std::string& session_id,
                                            const RowsWanted& wanted, std::size_t bytes_max) {
  if (!database::is_storable_text(session_id)) return FoundRows{};
  return RowsOfSession(connection, session_id).read(wanted, bytes_max, true);
}

}  // namespace verbatim::reading
