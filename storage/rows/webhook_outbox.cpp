#include "storage/rows/webhook_outbox.hpp"

#include <nlohmann/json.hpp>

#include "storage/sqlite/database.hpp"

namespace verbatim::rows {
namespace {

constexpr const char* message_columns =
    "message.id, message.public_id, kind, session.public_id, attempt.number, item_id, "
    "message.created_at, coalesce(delivery.tries, 0), coalesce(delivery.due_at, 0), "
    "coalesce(delivery.last_error, '') ";

store::Message read_message(const sqlite::Query& row) {
  store::Message message;
  message.id = row.integer(0);
  message.public_id = row.text(1);
  message.kind = static_cast<store::MessageKind>(row.integer(2));
  message.session_id = row.text(3);
  message.attempt = static_cast<int>(row.integer(4));
  message.item_id = row.text(5);
  message.created_at = row.integer(6);
  message.tries = static_cast<int>(row.integer(7));
  message.due_at = row.integer(8);
  message.last_error = row.text(9);
  return message;
}

}  // namespace

void want_messages(sqlite::Database& database, unsigned wanted) {
  database.query("UPDATE meta SET announced = ?").bind(static_cast<std::int64_t>(wanted)).run();
}

void announce(sqlite::Database& database, store::MessageKind kind, transcript::AttemptId attempt,
              TimeMs now, const std::string& item_id) {
  const char* unless = "";
  if (kind == store::MessageKind::session_ended)
    unless = " AND NOT EXISTS (SELECT 1 FROM message WHERE attempt = ?2 AND kind = 1)";
  if (kind == store::MessageKind::transcript_updated)
    unless =
        " AND NOT EXISTS (SELECT 1 FROM message AS ended WHERE ended.attempt = ?2 AND kind = 1"
        " AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.message = ended.id AND tries > 0))";
  database
      .query(std::string("INSERT INTO message (public_id, kind, attempt, item_id, created_at) "
                         "SELECT 'msg_' || lower(hex(randomblob(16))), ?1, ?2, ?3, ?4 FROM meta "
                         "WHERE (announced >> ?1) & 1") +
             unless)
      .bind(static_cast<int>(kind), attempt, item_id, now)
      .run();
}

std::int64_t newest_message(sqlite::Database& database) {
  sqlite::Query read = database.query("SELECT coalesce(max(id), 0) FROM message");
  return read.step() ? read.integer(0) : 0;
}

std::optional<store::Message> next_message(sqlite::Database& database, const std::string& target,
                                           std::int64_t after) {
  sqlite::Query row = database.query(
      std::string("SELECT ") + message_columns +
      "FROM message JOIN attempt ON attempt.id = message.attempt "
      "JOIN session ON session.id = attempt.session "
      "LEFT JOIN delivery ON delivery.message = message.id AND delivery.target = ?1 "
      "WHERE message.id = (SELECT min(id) FROM ("
      "SELECT min(message) AS id FROM delivery WHERE target = ?1 AND state = 0 UNION ALL "
      "SELECT * FROM (SELECT id FROM message WHERE id > ?2 AND NOT EXISTS (SELECT 1 FROM delivery "
      "WHERE delivery.message = message.id AND target = ?1) ORDER BY id LIMIT 1)))");
  if (!row.bind(target, after).step()) return std::nullopt;
  return read_message(row);
}

void begin_try(sqlite::Database& database, std::int64_t message, const std::string& target) {
  database
      .query(
          "INSERT INTO delivery (message, target, state, tries, due_at) "
          "SELECT id, ?2, 0, 1, 0 FROM message WHERE id = ?1 "
          "ON CONFLICT (message, target) DO UPDATE SET tries = tries + 1")
      .bind(message, target)
      .run();
}

void record_delivery(sqlite::Database& database, std::int64_t message, const std::string& target,
                     store::DeliveryState state, TimeMs due_at, const std::string& error,
                     const std::vector<std::string>& targets) {
  database
      .query(
          "INSERT INTO delivery (message, target, state, due_at, last_error) "
          "SELECT id, ?2, ?3, ?4, ?5 FROM message WHERE id = ?1 "
          "ON CONFLICT (message, target) DO UPDATE SET "
          "state = excluded.state, due_at = excluded.due_at, last_error = excluded.last_error")
      .bind(message, target, static_cast<int>(state), due_at, error)
      .run();
  if (state != store::DeliveryState::delivered) return;
  // By name: a target that was removed from the configuration may have it too.
  sqlite::Query lacking = database.query(
      "SELECT 1 FROM json_each(?2) WHERE NOT EXISTS (SELECT 1 FROM delivery "
      "WHERE message = ?1 AND target = value AND state = 1)");
  if (lacking.bind(message, nlohmann::json(targets).dump()).step()) return;
  // The message of an end stays, so that the end is not announced twice and later changes are
  // announced.
  database
      .query(
          "DELETE FROM delivery WHERE message = ?1 AND EXISTS "
          "(SELECT 1 FROM message WHERE id = ?1 AND kind <> 1)")
      .bind(message)
      .run();
  database.query("DELETE FROM message WHERE id = ? AND kind <> 1").bind(message).run();
}

store::Backlog backlog(sqlite::Database& database, const std::string& target, std::int64_t after,
                       unsigned wanted) {
  sqlite::Query waiting = database.query(
      "SELECT count(*), min(created_at) FROM message WHERE (?3 >> kind) & 1 AND (id IN "
      "(SELECT message FROM delivery WHERE target = ?1 AND state = 0) OR (id > ?2 AND NOT EXISTS "
      "(SELECT 1 FROM delivery WHERE delivery.message = message.id AND target = ?1)))");
  store::Backlog found;
  if (waiting.bind(target, after, static_cast<std::int64_t>(wanted)).step()) {
    found.waiting = waiting.integer(0);
    found.oldest = waiting.optional_integer(1);
  }
  sqlite::Query dead =
      database.query("SELECT count(*) FROM delivery WHERE target = ? AND state = 2");
  if (dead.bind(target).step()) found.dead = dead.integer(0);
  return found;
}

std::vector<store::Delivery> undelivered(sqlite::Database& database, bool dead_only) {
  std::vector<store::Delivery> found;
  sqlite::Query rows = database.query(
      std::string("SELECT ") + message_columns +
      ", delivery.target, delivery.state FROM delivery "
      "JOIN message ON message.id = delivery.message "
      "JOIN attempt ON attempt.id = message.attempt "
      "JOIN session ON session.id = attempt.session "
      "WHERE state = 2 OR (state = 0 AND NOT ?) ORDER BY message.id, delivery.target");
  rows.bind(dead_only);
  while (rows.step())
    found.push_back(
        {read_message(rows), rows.text(10), static_cast<store::DeliveryState>(rows.integer(11))});
  return found;
}

std::int64_t redrive(sqlite::Database& database, const std::optional<std::string>& public_id) {
  database
      .query(
          "UPDATE delivery SET state = 0, tries = 0, due_at = 0 WHERE state = 2 AND "
          "(?1 IS NULL OR message IN (SELECT id FROM message WHERE public_id = ?1))")
      .bind(public_id)
      .run();
  return database.changes();
}

}  // namespace verbatim::rows
