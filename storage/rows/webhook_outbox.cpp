#include "storage/rows/webhook_outbox.hpp"

#include <cstdint>
#include <set>

#include "base/json/tree.hpp"
#include "storage/rows/message_row.hpp"
#include "storage/sqlite/database.hpp"

namespace verbatim::rows {
namespace {

using store::DeliveryState;

/// Limit on the messages that one search examines, so that its snapshot stays short.
constexpr int messages_looked_at = 1000;
/// Messages that one change deletes or finishes: others wait for it.
constexpr int messages_pruned = 20;
constexpr int messages_finished = 500;

std::string list_of(const std::vector<std::int64_t>& numbers) { return Json(numbers).dump(); }

std::optional<store::WebhookMessage> first_of(sqlite::Query& rows) {
  if (!rows.step()) return std::nullopt;
  return read_message(rows);
}

void delete_records(sqlite::Database& database, std::int64_t message) {
  database.query("DELETE FROM delivery_try WHERE message = ?").bind(message).run();
  // The end of an attempt stays, so that it is not announced twice and later changes are announced.
  database.query("UPDATE message SET done_at = 0 WHERE id = ? AND kind = 1").bind(message).run();
  if (database.changes() > 0) return;
  database.query("DELETE FROM delivery WHERE message = ?").bind(message).run();
  database.query("DELETE FROM message WHERE id = ?").bind(message).run();
}

/// Deletes the oldest done messages that the records no longer need.
void prune(sqlite::Database& database, const store::DeliveryRecords& records, TimeMs now) {
  std::vector<std::int64_t> old;
  {
    sqlite::Query rows = database.query(
        "SELECT id, done_at, (SELECT max(id) FROM message) FROM message INDEXED BY message_done "
        "WHERE done_at > 0 ORDER BY done_at LIMIT ?");
    rows.bind(messages_pruned);
    while (rows.step()) {
      const bool expired = rows.integer(1) <= now - records.delivered_ms;
      const bool too_many =
          rows.integer(0) <= rows.integer(2) - static_cast<std::int64_t>(records.delivered_max);
      if (!expired && !too_many) break;
      old.push_back(rows.integer(0));
    }
  }
  for (const std::int64_t message : old) delete_records(database, message);
}

/// The message is done if all targets have received it. They are found by name: a target that was
/// removed from the configuration may have it too.
void finish(sqlite::Database& database, std::int64_t message, const store::DeliveryRecords& records,
            TimeMs now) {
  database
      .query(
          "UPDATE message SET done_at = max(?3, 1) WHERE id = ?1 AND done_at IS NULL AND NOT "
          "EXISTS "
          "(SELECT 1 FROM json_each(?2) WHERE NOT EXISTS (SELECT 1 FROM delivery "
          "WHERE message = ?1 AND target = value AND state = 1))")
      .bind(message, Json(records.targets).dump(), now)
      .run();
}

/// Stores the try; keeps only the latest earlier ones.
void keep_try(sqlite::Database& database, std::int64_t message, const std::string& target,
              const store::TryOutcome& outcome, const store::DeliveryRecords& records) {
  if (records.tries_max == 0) return;
  database
      .query(
          "INSERT INTO delivery_try (message, target, number, at, took_ms, status, error, answer) "
          "SELECT ?1, ?2, 1 + coalesce((SELECT max(number) FROM delivery_try WHERE message = ?1 "
          "AND target = ?2), 0), ?3, ?4, ?5, ?6, ?7 FROM message WHERE id = ?1")
      .bind(message, target, outcome.at, outcome.took_ms, outcome.status, outcome.error,
            outcome.answer)
      .run();
  database
      .query(
          "DELETE FROM delivery_try WHERE message = ?1 AND target = ?2 AND number <= "
          "(SELECT max(number) FROM delivery_try WHERE message = ?1 AND target = ?2) - ?3")
      .bind(message, target, static_cast<std::int64_t>(records.tries_max))
      .run();
}

}  // namespace

void want_messages(sqlite::Database& database, unsigned wanted) {
  database.query("UPDATE meta SET announced = ?").bind(static_cast<std::int64_t>(wanted)).run();
}

void announce(sqlite::Database& database, store::WebhookKind kind, transcript::AttemptId attempt,
              TimeMs now, const std::string& item_id) {
  const char* unless = "";
  if (kind == store::WebhookKind::session_ended)
    unless = " AND NOT EXISTS (SELECT 1 FROM message WHERE attempt = ?2 AND kind = 1)";
  if (kind == store::WebhookKind::transcript_updated)
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

store::NewMessages find_new(sqlite::Database& database, const std::string& target,
                            const store::NewQuery& query) {
  sqlite::Query rows = database.query(
      "SELECT " + message_columns +
      ", delivery.message IS NOT NULL, EXISTS (SELECT 1 FROM delivery AS first "
      "WHERE first.target = ?1 AND first.session = session.id AND first.state = 0) "
      "FROM message INDEXED BY message_pending CROSS JOIN attempt ON attempt.id = message.attempt "
      "CROSS JOIN session ON session.id = attempt.session "
      "LEFT JOIN delivery ON delivery.message = message.id AND delivery.target = ?1 "
      "WHERE message.done_at IS NULL AND message.id > ?2 ORDER BY message.id LIMIT ?3");
  rows.bind(target, query.after, messages_looked_at);
  store::NewMessages found;
  found.upto = query.after;
  std::set<std::int64_t> lanes(query.lanes.begin(), query.lanes.end());
  int seen = 0;
  while (rows.step()) {
    if (found.heads.size() == query.limit) {
      found.more = true;
      return found;
    }
    ++seen;
    store::WebhookMessage message = read_message(rows);
    found.upto = message.id;
    const bool tried = rows.integer(message_column_count) != 0;
    const bool behind = rows.integer(message_column_count + 1) != 0;
    if (tried) continue;
    if (!((query.wanted >> static_cast<unsigned>(message.kind)) & 1)) {
      found.unwanted.push_back(message.id);
    } else if (!behind && lanes.insert(message.lane).second) {
      found.heads.push_back(std::move(message));
    }
  }
  found.more = seen == messages_looked_at;
  return found;
}

std::vector<store::WebhookMessage> find_due(sqlite::Database& database, const std::string& target,
                                            const store::DueQuery& query) {
  std::vector<store::WebhookMessage> found;
  const std::string lanes = list_of(query.lanes);
  const auto between = [&](TimeMs from, TimeMs to) {
    sqlite::Query rows = database.query(
        "SELECT " + message_columns +
        "FROM delivery INDEXED BY delivery_due "
        "CROSS JOIN message ON message.id = delivery.message "
        "CROSS JOIN attempt ON attempt.id = message.attempt "
        "CROSS JOIN session ON session.id = attempt.session "
        "WHERE delivery.target = ?1 AND delivery.state = 0 AND delivery.due_at BETWEEN ?2 AND ?3 "
        "AND delivery.session NOT IN (SELECT value FROM json_each(?4)) "
        "AND NOT EXISTS (SELECT 1 FROM delivery AS first WHERE first.target = ?1 AND "
        "first.session = delivery.session AND first.state = 0 AND first.message < "
        "delivery.message) "
        "ORDER BY delivery.due_at, delivery.message LIMIT ?5");
    rows.bind(target, from, to, lanes, static_cast<std::int64_t>(query.limit - found.size()));
    while (rows.step()) found.push_back(read_message(rows));
  };
  between(0, query.now);
  between(query.now + query.longest_wait_ms + 1, INT64_MAX);
  return found;
}

std::optional<store::WebhookMessage> find_following(sqlite::Database& database,
                                                    const std::string& target,
                                                    const store::WebhookMessage& done_with,
                                                    unsigned wanted) {
  {
    sqlite::Query tried = database.query(
        "SELECT " + message_columns +
        "FROM delivery INDEXED BY delivery_waiting "
        "CROSS JOIN message ON message.id = delivery.message "
        "CROSS JOIN attempt ON attempt.id = message.attempt "
        "CROSS JOIN session ON session.id = attempt.session "
        "WHERE delivery.target = ?1 AND delivery.session = ?2 AND delivery.state = 0 "
        "ORDER BY delivery.message LIMIT 1");
    tried.bind(target, done_with.lane);
    if (auto found = first_of(tried)) return found;
  }
  sqlite::Query untried = database.query(
      "SELECT " + message_columns +
      "FROM attempt CROSS JOIN session ON session.id = attempt.session "
      "CROSS JOIN message INDEXED BY message_of_attempt ON message.attempt = attempt.id "
      "LEFT JOIN delivery ON delivery.message = message.id AND delivery.target = ?1 "
      "WHERE attempt.session = ?2 AND message.id > ?3 AND message.done_at IS NULL "
      "AND (?4 >> message.kind) & 1 AND delivery.message IS NULL ORDER BY message.id LIMIT 1");
  untried.bind(target, done_with.lane, done_with.id, static_cast<std::int64_t>(wanted));
  return first_of(untried);
}

void begin_try(sqlite::Database& database, std::int64_t message, const std::string& target) {
  database
      .query(
          "INSERT INTO delivery (message, target, state, tries, due_at, session) "
          "SELECT message.id, ?2, 0, 1, 0, attempt.session FROM message "
          "JOIN attempt ON attempt.id = message.attempt WHERE message.id = ?1 "
          "ON CONFLICT (message, target) DO UPDATE SET tries = tries + 1")
      .bind(message, target)
      .run();
}

void end_try(sqlite::Database& database, std::int64_t message, const std::string& target,
             const store::TryOutcome& outcome, const store::DeliveryRecords& records) {
  database
      .query(
          "INSERT INTO delivery (message, target, state, due_at, last_error, refusals, session) "
          "SELECT message.id, ?2, ?3, ?4, ?5, ?6, attempt.session FROM message "
          "JOIN attempt ON attempt.id = message.attempt WHERE message.id = ?1 "
          "ON CONFLICT (message, target) DO UPDATE SET state = excluded.state, "
          "due_at = excluded.due_at, last_error = excluded.last_error, "
          "refusals = refusals + excluded.refusals")
      .bind(message, target, static_cast<int>(outcome.state), outcome.due_at, outcome.error,
            outcome.refused)
      .run();
  keep_try(database, message, target, outcome, records);
  if (outcome.state == DeliveryState::waiting) {
    database
        .query(
            "UPDATE delivery SET due_at = ?3 WHERE target = ?2 AND state = 0 AND due_at < ?3 AND "
            "session = (SELECT session FROM delivery WHERE message = ?1 AND target = ?2)")
        .bind(message, target, outcome.due_at)
        .run();
  } else if (outcome.state == DeliveryState::delivered) {
    const TimeMs now = outcome.at + outcome.took_ms;
    finish(database, message, records, now);
    prune(database, records, now);
  }
}

void put_off(sqlite::Database& database, std::int64_t message, const std::string& target,
             TimeMs due_at) {
  database
      .query(
          "INSERT INTO delivery (message, target, state, due_at, session) "
          "SELECT message.id, ?2, 0, ?3, attempt.session FROM message "
          "JOIN attempt ON attempt.id = message.attempt WHERE message.id = ?1 "
          "ON CONFLICT (message, target) DO NOTHING")
      .bind(message, target, due_at)
      .run();
}

void settle_anew(sqlite::Database& database, const std::string& target, std::int64_t settle_ms) {
  database
      .query(
          "UPDATE delivery SET due_at = ?2 + (SELECT created_at FROM message "
          "WHERE message.id = delivery.message) "
          "WHERE target = ?1 AND state = 0 AND tries = 0 AND due_at > 1")
      .bind(target, settle_ms)
      .run();
}

void pass_over(sqlite::Database& database, const std::vector<std::int64_t>& messages,
               const std::string& target, const store::DeliveryRecords& records, TimeMs now) {
  database
      .query(
          "INSERT INTO delivery (message, target, state, due_at, session) "
          "SELECT message.id, ?2, 1, 0, attempt.session FROM message "
          "JOIN attempt ON attempt.id = message.attempt "
          "WHERE message.id IN (SELECT value FROM json_each(?1)) "
          "ON CONFLICT (message, target) DO UPDATE SET state = 1, due_at = 0")
      .bind(list_of(messages), target)
      .run();
  for (const std::int64_t message : messages) finish(database, message, records, now);
  prune(database, records, now);
}

std::optional<std::int64_t> finish_received(sqlite::Database& database, std::int64_t after,
                                            const store::DeliveryRecords& records, TimeMs now) {
  std::vector<std::int64_t> pending;
  {
    sqlite::Query rows = database.query(
        "SELECT id FROM message INDEXED BY message_pending WHERE done_at IS NULL AND id > ?1 AND "
        "EXISTS (SELECT 1 FROM delivery WHERE message = message.id) ORDER BY id LIMIT ?2");
    rows.bind(after, messages_finished);
    while (rows.step()) pending.push_back(rows.integer(0));
  }
  for (const std::int64_t message : pending) finish(database, message, records, now);
  if (pending.empty()) return std::nullopt;
  return pending.back();
}

store::Backlog backlog(sqlite::Database& database, const std::string& target, std::int64_t after,
                       unsigned wanted) {
  sqlite::Query waiting = database.query(
      "SELECT count(*), min(created_at) FROM message WHERE (?3 >> kind) & 1 AND id IN ("
      "SELECT message FROM delivery WHERE target = ?1 AND state = 0 UNION ALL "
      "SELECT id FROM message INDEXED BY message_pending WHERE done_at IS NULL AND id > min(?2, "
      "coalesce((SELECT min(message) FROM delivery WHERE target = ?1 AND state = 0), ?2)) "
      "AND NOT EXISTS (SELECT 1 FROM delivery WHERE message = message.id AND target = ?1))");
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

}  // namespace verbatim::rows
