// A database elsewhere in memory: shipments are applied to it, and it is compared with the store
// that they came from. Each row is a line of text under a key.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "storage/sqlite/database.hpp"
#include "storage/store/shipping_store.hpp"

namespace verbatim::test {

using Lines = std::map<std::string, std::string>;

class ShipmentModel {
 public:
  transcript::Sequence shipped = 0;    ///< to be read from here
  transcript::Sequence watermark = 0;  ///< kept elsewhere: shipments without content do not move it
  Lines rows;                          ///< all but events
  Lines events;                        ///< of attempts that have not ended

  /// Returns the rules that the shipment breaks; empty: none.
  std::string apply(const store::Shipment& shipment) {
    std::string broken;
    if (shipment.after > shipped) broken += "a number is left out; ";
    for (const std::string& id : shipment.erased) {
      for (const char* kind : {"session", "attempt", "ended", "turn", "call", "copy"})
        remove(rows, std::string(kind) + "/" + id + "/");
      remove_if_value_begins(rows, "message/", id + "/");
      remove(events, "event/" + id + "/");
    }
    for (const store::ShippedSession& one : shipment.sessions) put(one);
    for (const store::ShippedAttempt& one : shipment.attempts) put(one);
    for (const store::ShippedToken& one : shipment.tokens) put(one);
    for (const store::ShippedEvent& one : shipment.events)
      put(one, shipment.attempt_names.at(one.attempt), broken);
    for (const store::ShippedSettledTurn& one : shipment.turns) {
      needs_attempt(one.attempt, broken);
      if (!rows.contains("ended/" + key(one.attempt))) put(one.attempt, one.turn);
    }
    for (const store::ShippedCopy& one : shipment.copies) {
      needs_attempt(one.attempt, broken);
      rows["copy/" + key(one.attempt) + std::to_string(one.id)] =
          line(one.writer, one.posted_at, one.body);
    }
    for (const store::ShippedMessage& one : shipment.messages) put(one, broken);
    for (const store::ShippedRecord& one : shipment.records) put(one, broken);
    for (const auto& [name, row] : rows)
      if (name.starts_with("ended/") && row == "without a record")
        broken += name + " has no record; ";
    shipped = std::max(shipped, shipment.upto);
    if (!shipment.empty()) watermark = shipped;
    return broken;
  }

  static std::string key(const store::AttemptName& name) {
    return name.session_id + "/" + std::to_string(name.number) + "/";
  }

  template <class... Values>
  static std::string line(const Values&... values) {
    std::string text;
    ((text += field(values) + "|"), ...);
    return text;
  }

 private:
  static std::string field(const std::string& text) { return text; }
  static std::string field(const char* text) { return text; }
  static std::string field(bool value) { return value ? "1" : "0"; }
  template <class Number>
  requires std::is_arithmetic_v<Number>
  static std::string field(Number number) { return std::to_string(number); }
  template <class Value>
  static std::string field(const std::optional<Value>& value) {
    return value ? field(*value) : "-";
  }

  static void remove(Lines& lines, const std::string& prefix) {
    std::erase_if(lines, [&](const auto& row) { return row.first.starts_with(prefix); });
  }
  static void remove_if_value_begins(Lines& lines, const std::string& prefix,
                                     const std::string& value) {
    std::erase_if(lines, [&](const auto& row) {
      return row.first.starts_with(prefix) && row.second.starts_with(value);
    });
  }
  void needs_attempt(const store::AttemptName& name, std::string& broken) const {
    if (!rows.contains("attempt/" + key(name))) broken += key(name) + " is no attempt; ";
    if (!rows.contains("session/" + name.session_id + "/"))
      broken += name.session_id + " is no session; ";
  }

  void put(const store::ShippedSession& one) {
    std::string tokens;
    for (const std::string& token : one.tokens) tokens += token + ",";
    rows["session/" + one.id + "/"] = line(one.user, one.metadata_json, one.private_json,
                                           one.created_at, one.idempotency, one.request, tokens);
  }
  void put(const store::ShippedAttempt& one) {
    const std::string name = key(one.name);
    const bool ended = rows.contains("ended/" + name);
    if (ended && !one.ended_at) return;  // nothing goes back
    if (!ended && one.ended_at) rows["ended/" + name] = "without a record";
    rows["attempt/" + name] =
        line(one.status, one.started_at, one.ended_at, one.close_reason, one.model, one.complete,
             one.gaps_json, one.usage_json, one.suspended_at, one.settings_json, one.copies,
             one.copy_turns, one.copy_bytes, one.merged_turns, one.merged_complete);
  }
  void put(const store::ShippedToken& one) {
    if (one.gone) return remove(rows, "token/" + one.id + "/");
    rows["token/" + one.id + "/"] =
        line(one.user, one.session_id, one.session_open, one.session_config, one.terms_json,
             one.private_json, one.created_at, one.expires_at, one.revoked_at, one.made_by);
  }
  void put(const store::ShippedEvent& one, const store::AttemptName& name, std::string& broken) {
    needs_attempt(name, broken);
    if (rows.contains("ended/" + key(name))) return;
    events["event/" + key(name) + std::to_string(one.seq)] = line(one.at, one.body);
  }
  void put(const store::AttemptName& name, const store::ShippedTurn& one) {
    rows["turn/" + key(name) + one.item_id] =
        line(one.ordinal, one.role, one.status, one.text, one.heard_ms, one.heard_text, one.reason,
             one.deleted, one.response_id, one.started_at, one.ended_at, one.audio_ms);
  }
  void put(const store::ShippedMessage& one, std::string& broken) {
    if (one.gone) return remove(rows, "message/" + one.id + "/");
    needs_attempt(one.attempt, broken);
    std::string deliveries;
    for (const store::ShippedDelivery& to : one.deliveries)
      deliveries +=
          line(to.target, to.state, to.tries, to.refusals, to.due_at, to.last_error) + ";";
    rows["message/" + one.id + "/"] =
        key(one.attempt) + line(one.kind, one.item_id, one.created_at, one.done_at, deliveries);
  }
  void put(const store::ShippedRecord& one, std::string& broken) {
    const std::string name = key(one.attempt);
    needs_attempt(one.attempt, broken);
    if (!rows.contains("ended/" + name)) broken += name + " has a record but no end; ";
    rows["ended/" + name] = "with its record";
    remove(rows, "turn/" + name);
    remove(rows, "call/" + name);
    remove(events, "event/" + name);
    for (const store::ShippedTurn& turn : one.turns) put(one.attempt, turn);
    for (const store::ShippedToolCall& call : one.tool_calls)
      rows["call/" + name + std::to_string(call.number)] =
          line(call.after, call.item_id, call.call_id, call.kind, call.status, call.name,
               call.server, call.arguments, call.output, call.error, call.approval_json,
               call.deleted, call.response_id, call.started_at, call.ended_at);
  }
};

/// The rows of a store, as a model has them that lacks nothing.
inline ShipmentModel model_of(sqlite::Database& database) {
  const sqlite::Savepoint snapshot(database);
  ShipmentModel model;
  const auto read = [&](Lines& lines, const std::string& sql) {
    sqlite::Query rows = database.query(sql);
    while (rows.step()) lines[rows.text(0)] = rows.text(1);
  };
  const auto list = [](const std::vector<const char*>& columns) {
    std::string sql;
    for (const char* const one : columns)
      sql += (sql.empty() ? "coalesce(" : " || coalesce(") + std::string(one) + ", '-') || '|'";
    return sql;
  };
  const std::string attempt_key = "public_id || '/' || number || '/'";
  const std::string of_attempt =
      " JOIN attempt ON attempt.id = attempt JOIN session ON session.id = attempt.session";
  read(model.rows, "SELECT 'session/' || public_id || '/', " +
                       list({"user", "metadata", "private", "created_at", "idempotency", "request",
                             "(SELECT group_concat(token || ',', '') FROM (SELECT token FROM "
                             "token_use WHERE session = session.id ORDER BY token))"}) +
                       " FROM session");
  for (auto& [name, row] : model.rows)
    if (row.ends_with("|-|")) row.replace(row.size() - 3, 3, "||");
  read(model.rows, "SELECT 'attempt/' || " + attempt_key + ", " +
                       list({"status", "started_at", "ended_at", "close_reason", "model",
                             "complete", "gaps", "usage", "suspended_at", "settings", "copies",
                             "copy_turns", "copy_bytes", "merged_turns", "merged_complete"}) +
                       " FROM attempt JOIN session ON session.id = attempt.session");
  read(model.rows, "SELECT 'ended/' || " + attempt_key +
                       ", 'with its record' FROM attempt JOIN session ON session.id = "
                       "attempt.session WHERE ended_at IS NOT NULL");
  read(model.rows,
       "SELECT 'turn/' || " + attempt_key + " || item_id, " +
           list({"ordinal", "role", "turn.status", "text", "heard_ms", "heard_text", "reason",
                 "deleted", "response_id", "turn.started_at", "turn.ended_at", "audio_ms"}) +
           " FROM turn" + of_attempt);
  read(model.rows,
       "SELECT 'call/' || public_id || '/' || attempt.number || '/' || "
       "tool_call.number, " +
           list({"after", "item_id", "call_id", "kind", "tool_call.status", "name", "server",
                 "arguments", "output", "error", "approval", "deleted", "response_id",
                 "tool_call.started_at", "tool_call.ended_at"}) +
           " FROM tool_call" + of_attempt);
  read(model.rows, "SELECT 'copy/' || " + attempt_key + " || copy.id, " +
                       list({"writer", "posted_at", "body"}) + " FROM copy" + of_attempt);
  read(model.rows,
       "SELECT 'message/' || message.public_id || '/', session.public_id || '/' || number || '/' "
       "|| " +
           list({"kind", "item_id", "message.created_at", "done_at",
                 "(SELECT group_concat(target || '|' || state || '|' || tries || '|' || "
                 "refusals || '|' || due_at || '|' || last_error || '|;', '') FROM (SELECT * "
                 "FROM delivery WHERE message = message.id ORDER BY target))"}) +
           " FROM message" + of_attempt);
  for (auto& [name, row] : model.rows)
    if (name.starts_with("message/") && row.ends_with("|-|")) row.replace(row.size() - 3, 3, "||");
  read(model.rows, "SELECT 'token/' || id || '/', " +
                       list({"user", "session", "open", "session_config", "terms", "private",
                             "created_at", "expires_at", "revoked_at", "made_by"}) +
                       " FROM client_secret");
  {
    sqlite::Query rows =
        database.query("SELECT 'event/' || " + attempt_key + " || seq, at, body FROM journal" +
                       of_attempt + " WHERE ended_at IS NULL");
    while (rows.step())
      model.events[rows.text(0)] = ShipmentModel::line(rows.integer(1), std::string(rows.blob(2)));
  }
  return model;
}

/// The differences between two models in words; empty: there are none.
inline std::string differences(const ShipmentModel& elsewhere, const ShipmentModel& here) {
  std::string said;
  std::size_t count = 0;
  const auto compare = [&](const Lines& there, const Lines& own) {
    for (const auto& [name, row] : own) {
      const auto found = there.find(name);
      if (found != there.end() && found->second == row) continue;
      if (++count <= 8)
        said += name +
                (found == there.end() ? " is missing elsewhere: " + row
                                      : " is " + found->second + " and not " + row) +
                "\n";
    }
    for (const auto& [name, row] : there)
      if (!own.contains(name) && ++count <= 8) said += name + " is only elsewhere: " + row + "\n";
  };
  compare(elsewhere.rows, here.rows);
  compare(elsewhere.events, here.events);
  return said;
}

}  // namespace verbatim::test
