#include "server/fleet/ownership/session_reader.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "server/fleet/database/shipped_rows.hpp"

namespace verbatim::ownership {

using database::Columns;
using database::Connection;
using database::DatabaseResult;
using database::Params;

namespace {

const std::string session_sql =
    database::sql("SELECT ", database::session_columns, " FROM session WHERE id = $1");
const std::string attempts_sql = database::sql("SELECT ", database::attempt_columns,
                                               " FROM attempt WHERE session = $1 ORDER BY number");
const std::string events_sql = database::sql(
    "SELECT event.attempt, event.at, event.body FROM event JOIN attempt ON "
    "attempt.session = event.session AND attempt.number = event.attempt "
    "WHERE event.session = $1 AND attempt.ended_at IS NULL ORDER BY event.attempt, ",
    database::order_of_events);
const std::string turns_sql =
    database::sql("SELECT attempt, ", database::turn_columns,
                  " FROM turn WHERE session = $1 ORDER BY attempt, ", database::order_of_turns);
const std::string calls_sql =
    database::sql("SELECT attempt, ", database::tool_call_columns,
                  " FROM tool_call WHERE session = $1 ORDER BY attempt, number");
const std::string copies_sql =
    database::sql("SELECT attempt, ", database::copy_columns,
                  " FROM copy WHERE session = $1 ORDER BY attempt, ", database::order_of_copies);
const std::string messages_sql =
    "SELECT id, attempt, kind, item_id, created_at FROM message "
    "WHERE session = $1 AND done_at IS NULL ORDER BY created_at, id";
const std::string deliveries_sql =
    "SELECT delivery.message, target, state, tries, refusals, due_at, last_error "
    "FROM delivery JOIN message ON message.id = delivery.message "
    "WHERE message.session = $1 AND message.done_at IS NULL";
const std::string tokens_sql =
    database::sql("SELECT ", database::token_columns,
                  " FROM client_secret WHERE session = $1 OR id IN "
                  "(SELECT unnest(session.tokens) FROM session WHERE session.id = $1)");

class Reading {
 public:
  Reading(Connection& connection, const std::string& session_id)
      : connection_(connection), id_(session_id) {}

  DatabaseResult<store::Shipment> all() {
    const std::pair<const std::string&, void (Reading::*)(Columns)> steps[] = {
        {session_sql, &Reading::session},  {attempts_sql, &Reading::attempt},
        {events_sql, &Reading::event},     {turns_sql, &Reading::turn},
        {calls_sql, &Reading::call},       {copies_sql, &Reading::copy},
        {messages_sql, &Reading::message}, {deliveries_sql, &Reading::delivery},
        {tokens_sql, &Reading::token},
    };
    Params of;
    of.add_text(id_);
    for (const auto& [statement, read] : steps) {
      auto rows = connection_.run({"", statement.c_str()}, of);
      if (!rows) return tl::unexpected(std::move(rows.error()));
      for (int row = 0; row < rows->count(); ++row) (this->*read)(Columns(*rows, row));
    }
    return std::move(out_);
  }

 private:
  void session(Columns from) { out_.sessions.push_back(database::read_session(from, id_)); }
  void attempt(Columns from) { out_.attempts.push_back(database::read_attempt(from, id_)); }

  void event(Columns from) {
    const store::AttemptName of{id_, from.number()};
    if (out_.attempt_names.empty() || !(out_.attempt_names.back() == of))
      out_.attempt_names.push_back(of);
    store::ShippedEvent& one = out_.events.emplace_back();
    one.attempt = out_.attempt_names.size() - 1;
    one.at = from.integer();
    one.body = from.bytes();
  }

  void turn(Columns from) {
    store::ShippedSettledTurn& one = out_.turns.emplace_back();
    one.attempt = {id_, from.number()};
    one.turn = database::read_turn(from);
  }

  void call(Columns from) {
    const store::AttemptName of{id_, from.number()};
    if (out_.records.empty() || !(out_.records.back().attempt == of))
      out_.records.push_back({of, {}, {}});
    out_.records.back().tool_calls.push_back(database::read_tool_call(from));
  }

  void copy(Columns from) {
    const store::AttemptName of{id_, from.number()};
    out_.copies.push_back(database::read_copy(from, of));
  }

  void message(Columns from) {
    store::ShippedMessage& one = out_.messages.emplace_back();
    one.id = from.text();
    one.attempt = {id_, from.number()};
    one.kind = from.number();
    one.item_id = from.bytes();
    one.created_at = from.integer();
  }

  void delivery(Columns from) {
    const std::string of = from.text();
    const auto message = std::find_if(out_.messages.begin(), out_.messages.end(),
                                      [&](const auto& one) { return one.id == of; });
    if (message == out_.messages.end()) return;
    store::ShippedDelivery& one = message->deliveries.emplace_back();
    one.target = from.text();
    one.state = from.number();
    one.tries = from.number();
    one.refusals = from.number();
    one.due_at = from.integer();
    one.last_error = from.bytes();
  }

  void token(Columns from) { out_.tokens.push_back(database::read_token(from)); }

  Connection& connection_;
  const std::string& id_;
  store::Shipment out_;
};

}  // namespace

DatabaseResult<store::Shipment> read_session(Connection& connection,
                                             const std::string& session_id) {
  return Reading(connection, session_id).all();
}

}  // namespace verbatim::ownership
