#include "storage/rows/shipped_rows.hpp"

#include "storage/sqlite/database.hpp"

namespace verbatim::rows {

using transcript::AttemptId;

std::int64_t insert_session(sqlite::Database& database, const store::ShippedSession& session) {
  database
      .query(
          "INSERT INTO session (public_id, user, metadata, private, created_at, idempotency, "
          "request) VALUES (?, ?, ?, ?, ?, ?, ?)")
      .bind(session.id, session.user, session.metadata_json, session.private_json,
            session.created_at, session.idempotency, session.request)
      .run();
  const std::int64_t id = database.last_insert_id();
  for (const std::string& token : session.tokens)
    database.query("INSERT INTO token_use (token, session) VALUES (?, ?)").bind(token, id).run();
  return id;
}

AttemptId insert_attempt(sqlite::Database& database, std::int64_t session,
                         const store::ShippedAttempt& attempt, const AttemptHere& here) {
  database
      .query(
          "INSERT INTO attempt (id, session, number, status, started_at, ended_at, close_reason, "
          "model, complete, gaps, usage, suspended_at, settings, copies, copy_turns, copy_bytes, "
          "merged_turns, merged_complete, first_seq, taken_upto, tail_pending) "
          "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(here.id, session, attempt.name.number, attempt.status, attempt.started_at,
            attempt.ended_at, attempt.close_reason, attempt.model, attempt.complete,
            attempt.gaps_json, attempt.usage_json, attempt.suspended_at, attempt.settings_json,
            attempt.copies, attempt.copy_turns, attempt.copy_bytes, attempt.merged_turns,
            attempt.merged_complete, here.first_seq, here.taken_upto, here.tail_pending)
      .run();
  return database.last_insert_id();
}

void insert_shipped_turn(sqlite::Database& database, AttemptId attempt,
                         const store::ShippedTurn& turn) {
  database
      .query(
          "INSERT INTO turn (attempt, item_id, ordinal, role, status, text, heard_ms, "
          "heard_text, reason, deleted, response_id, started_at, ended_at, audio_ms, writers) "
          "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '[\"relay\"]')")
      .bind(attempt, turn.item_id, turn.ordinal, turn.role, turn.status, turn.text, turn.heard_ms,
            turn.heard_text, turn.reason, turn.deleted, turn.response_id, turn.started_at,
            turn.ended_at, turn.audio_ms)
      .run();
}

void insert_shipped_call(sqlite::Database& database, AttemptId attempt,
                         const store::ShippedToolCall& call) {
  database
      .query(
          "INSERT INTO tool_call (attempt, number, after, item_id, call_id, kind, status, name, "
          "server, arguments, output, error, approval, deleted, response_id, started_at, "
          "ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(attempt, call.number, call.after, call.item_id, call.call_id, call.kind, call.status,
            call.name, call.server, call.arguments, call.output, call.error, call.approval_json,
            call.deleted, call.response_id, call.started_at, call.ended_at)
      .run();
}

void insert_shipped_copy(sqlite::Database& database, AttemptId attempt,
                         const store::ShippedCopy& copy) {
  database.query("INSERT INTO copy (attempt, writer, posted_at, body) VALUES (?, ?, ?, ?)")
      .bind(attempt, copy.writer, copy.posted_at, copy.body)
      .run();
}

void insert_shipped_token(sqlite::Database& database, const store::ShippedToken& token) {
  database
      .query(
          "INSERT INTO client_secret (id, user, session, open, session_config, terms, private, "
          "created_at, expires_at, revoked_at, made_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
          "ON CONFLICT (id) DO UPDATE SET revoked_at = coalesce(revoked_at, excluded.revoked_at)")
      .bind(token.id, token.user, token.session_id, token.session_open, token.session_config,
            token.terms_json, token.private_json, token.created_at, token.expires_at,
            token.revoked_at, token.made_by)
      .run();
}

std::optional<store::ShippedAttempt> read_shipped_attempt(sqlite::Database& database,
                                                          AttemptId id) {
  sqlite::Query row = database.query(
      "SELECT public_id, number, status, started_at, ended_at, close_reason, model, complete, "
      "gaps, usage, suspended_at, settings, copies, copy_turns, copy_bytes, merged_turns, "
      "merged_complete FROM attempt JOIN session ON session.id = attempt.session "
      "WHERE attempt.id = ?");
  if (!row.bind(id).step()) return std::nullopt;
  store::ShippedAttempt attempt;
  attempt.name = {row.text(0), static_cast<int>(row.integer(1))};
  attempt.status = static_cast<int>(row.integer(2));
  attempt.started_at = row.integer(3);
  attempt.ended_at = row.optional_integer(4);
  if (!row.is_null(5)) attempt.close_reason = static_cast<int>(row.integer(5));
  attempt.model = row.text(6);
  attempt.complete = row.integer(7) != 0;
  attempt.gaps_json = row.text(8);
  attempt.usage_json = row.text(9);
  attempt.suspended_at = row.optional_integer(10);
  if (!row.is_null(11)) attempt.settings_json = row.text(11);
  attempt.copies = row.integer(12);
  attempt.copy_turns = row.integer(13);
  attempt.copy_bytes = row.integer(14);
  attempt.merged_turns = row.optional_integer(15);
  if (!row.is_null(16)) attempt.merged_complete = row.integer(16) != 0;
  return attempt;
}

}  // namespace verbatim::rows
