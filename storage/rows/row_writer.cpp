#include "storage/rows/row_writer.hpp"

#include <algorithm>

#include "base/json/tree.hpp"
#include "storage/rows/attempt_reader.hpp"
#include "storage/rows/copies.hpp"
#include "storage/rows/tool_rows.hpp"
#include "storage/rows/webhook_outbox.hpp"
#include "storage/sqlite/database.hpp"

namespace verbatim::rows {
namespace {

/// Ids come from the provider and may hold any bytes: invalid UTF-8 is replaced.
std::string gaps_json(const std::vector<transcript::Gap>& gaps) {
  Json list = Json::array();
  for (const transcript::Gap& gap : gaps) {
    auto& kept = list.emplace_back(
        Json{{"item_id", gap.item_id}, {"kind", transcript::to_string(gap.kind)}});
    if (gap.count > 0) kept.update({{"after", gap.after}, {"count", gap.count}});
  }
  return list.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// The highest number of a row or a change (change_tracking.hpp). A change without a number has the
/// negative of the last one.
constexpr const char* highest =
    "max(last_seq, (SELECT coalesce(max(seq), 0) FROM journal), "
    "(SELECT coalesce(max(seq), 0) FROM dirty), (SELECT coalesce(-min(seq), 0) FROM dirty), "
    "(SELECT coalesce(max(shipped), 0) FROM shipping))";

/// True for a journal row whose attempt has ended, or was erased.
constexpr const char* is_needless =
    "NOT EXISTS (SELECT 1 FROM attempt WHERE id = journal.attempt AND ended_at IS NULL)";

bool is_completed(sqlite::Database& database, transcript::AttemptId attempt,
                  const std::string& item_id) {
  sqlite::Query row =
      database.query("SELECT 1 FROM turn WHERE attempt = ? AND item_id = ? AND status = ?");
  return row.bind(attempt, item_id, static_cast<int>(transcript::TurnStatus::completed)).step();
}

/// The clock may be set back; the attempts of a session still follow each other.
TimeMs start_of_attempt(sqlite::Database& database, std::int64_t session, TimeMs now) {
  sqlite::Query row = database.query(
      "SELECT max(created_at, coalesce((SELECT max(coalesce(ended_at, started_at)) FROM attempt "
      "WHERE session = session.id AND status <> 0), 0)) FROM session WHERE id = ?");
  return row.bind(session).step() ? std::max(now, row.integer(0)) : now;
}

}  // namespace

std::int64_t require_session(sqlite::Database& database, const store::AttemptSpec& spec) {
  sqlite::Query found = database.query("SELECT id, user FROM session WHERE public_id = ?");
  if (found.bind(spec.session_id).step()) {
    if (found.text(1) != spec.user)
      throw store::StorageError(store::Failure::not_found,
                                "session " + spec.session_id + " is not this user's");
    return found.integer(0);
  }
  database
      .query(
          "INSERT INTO session (public_id, user, metadata, private, created_at) "
          "VALUES (?, ?, ?, ?, ?)")
      .bind(spec.session_id, spec.user, spec.metadata, spec.private_metadata, spec.now)
      .run();
  return database.last_insert_id();
}

store::OpenedAttempt insert_attempt(sqlite::Database& database, const store::AttemptSpec& spec,
                                    transcript::Sequence first_seq) {
  const std::int64_t session = require_session(database, spec);
  store::OpenedAttempt opened;
  opened.started_at = start_of_attempt(database, session, spec.now);
  const auto latest = find_attempt(database, spec.session_id);
  if (latest && latest->status == transcript::SessionStatus::created) {
    database
        .query(
            "UPDATE attempt SET status = ?, started_at = ?, model = ?, first_seq = ?, "
            "merged_turns = NULL, merged_complete = NULL, to_merge = NULL WHERE id = ?")
        .bind(static_cast<int>(transcript::SessionStatus::live), opened.started_at, spec.model,
              first_seq, latest->id)
        .run();
    opened.attempt = latest->id;
    opened.number = latest->number;
    announce(database, store::WebhookKind::session_started, opened.attempt, opened.started_at);
    return opened;
  }
  opened.number = latest ? latest->number + 1 : 1;
  database
      .query(
          "INSERT INTO attempt (session, number, status, started_at, model, first_seq) "
          "VALUES (?, ?, ?, ?, ?, ?)")
      .bind(session, opened.number, static_cast<int>(transcript::SessionStatus::live),
            opened.started_at, spec.model, first_seq)
      .run();
  opened.attempt = database.last_insert_id();
  announce(database, store::WebhookKind::session_started, opened.attempt, opened.started_at);
  return opened;
}

void insert_event(sqlite::Database& database, transcript::Sequence seq,
                  transcript::AttemptId attempt, TimeMs at, const std::string& body) {
  database.query("INSERT INTO journal (seq, attempt, at, body) VALUES (?, ?, ?, ?)")
      .bind(seq, attempt, at, sqlite::Blob{body})
      .run();
}

void upsert_turn(sqlite::Database& database, transcript::AttemptId attempt,
                 const transcript::Turn& turn, int expected) {
  const bool completes = turn.status == transcript::TurnStatus::completed &&
                         !is_completed(database, attempt, turn.item_id);
  std::optional<std::int64_t> heard_ms;
  std::optional<std::string> heard_text;
  if (turn.heard) {
    heard_ms = turn.heard->audio_ms;
    if (turn.heard->text) heard_text = turn.heard->text->wtf8();
  }
  database
      .query(R"sql(
INSERT INTO turn (attempt, item_id, ordinal, role, status, text, heard_ms, heard_text, reason,
                  deleted, response_id, started_at, ended_at, audio_ms, writers)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '["relay"]')
ON CONFLICT (attempt, item_id) DO UPDATE SET
  ordinal = CASE WHEN excluded.ordinal > 0 THEN excluded.ordinal ELSE ordinal END,
  role = excluded.role, status = excluded.status, text = excluded.text,
  heard_ms = excluded.heard_ms, heard_text = excluded.heard_text, reason = excluded.reason,
  deleted = excluded.deleted, response_id = excluded.response_id,
  started_at = excluded.started_at, ended_at = excluded.ended_at, audio_ms = excluded.audio_ms
)sql")
      .bind(attempt, turn.item_id, turn.ordinal > 0 ? turn.ordinal : -expected,
            static_cast<int>(turn.role), static_cast<int>(turn.status), turn.text.wtf8(), heard_ms,
            heard_text, turn.reason, turn.deleted, turn.response_id, turn.started_at, turn.ended_at,
            turn.audio_ms)
      .run();
  if (completes)
    announce(database, store::WebhookKind::turn_completed, attempt, turn.ended_at.value_or(0),
             turn.item_id);
}

void finalise_attempt(sqlite::Database& database, transcript::AttemptId attempt,
                      const transcript::Ending& ending) {
  const std::string gaps = gaps_json(ending.transcript.gaps);
  database
      .query(
          "UPDATE attempt SET status = ?, ended_at = max(started_at, ?), close_reason = ?, "
          "complete = ?, "
          "gaps = ?, usage = ? WHERE id = ? AND ended_at IS NULL")
      .bind(static_cast<int>(transcript::SessionStatus::final), ending.ended_at,
            static_cast<int>(ending.reason), ending.transcript.complete, gaps,
            ending.transcript.usage_json, attempt)
      .run();
  if (database.changes() == 0) return;
  note_change(database, attempt);
  for (const transcript::Turn& turn : ending.transcript.turns) upsert_turn(database, attempt, turn);
  insert_tool_calls(database, attempt, ending.transcript.tool_calls);
  mark_to_merge(database, attempt);
  announce(database, store::WebhookKind::session_ended, attempt, ending.ended_at);
}

void note_change(sqlite::Database& database, transcript::AttemptId attempt) {
  database.query("UPDATE meta SET last_change = last_change + 1").run();
  database.query("UPDATE attempt SET changed = (SELECT last_change FROM meta) WHERE id = ?")
      .bind(attempt)
      .run();
}

void mark_attempt(sqlite::Database& database, transcript::AttemptId attempt,
                  transcript::SessionStatus status) {
  database.query("UPDATE attempt SET status = ? WHERE id = ? AND ended_at IS NULL")
      .bind(static_cast<int>(status), attempt)
      .run();
}

void suspend_attempt(sqlite::Database& database, transcript::AttemptId attempt,
                     const transcript::Handover& handover) {
  database
      .query(
          "UPDATE attempt SET status = ?, suspended_at = ?, settings = ? "
          "WHERE id = ? AND ended_at IS NULL")
      .bind(static_cast<int>(transcript::SessionStatus::detached), handover.at,
            handover.settings_json, attempt)
      .run();
}

void leave_recovering(sqlite::Database& database, transcript::AttemptId attempt, TimeMs now,
                      bool counts) {
  database
      .query(
          "UPDATE attempt SET status = ?, suspended_at = ?, recoveries = recoveries + ? "
          "WHERE id = ? AND ended_at IS NULL")
      .bind(static_cast<int>(transcript::SessionStatus::recovering), now, counts, attempt)
      .run();
}

bool resume_attempt(sqlite::Database& database, transcript::AttemptId attempt) {
  database
      .query(
          "UPDATE attempt SET status = ?, suspended_at = NULL, settings = NULL, recoveries = 0 "
          "WHERE id = ? AND ended_at IS NULL AND suspended_at IS NOT NULL")
      .bind(static_cast<int>(transcript::SessionStatus::live), attempt)
      .run();
  return database.changes() == 1;
}

void remember_highest(sqlite::Database& database) {
  database.query(std::string("UPDATE meta SET last_seq = ") + highest).run();
}

transcript::Sequence highest_sequence(sqlite::Database& database) {
  sqlite::Query read = database.query(std::string("SELECT ") + highest + " FROM meta");
  return read.step() ? static_cast<transcript::Sequence>(read.integer(0)) : 0;
}

void delete_events_before(sqlite::Database& database, transcript::Sequence end) {
  remember_highest(database);
  database.query("DELETE FROM journal WHERE seq < ?").bind(end).run();
}

std::int64_t delete_events_of_ended(sqlite::Database& database, transcript::Sequence from,
                                    transcript::Sequence to) {
  remember_highest(database);
  database.query(std::string("DELETE FROM journal WHERE seq BETWEEN ? AND ? AND ") + is_needless)
      .bind(from, to)
      .run();
  return database.changes();
}

SweptRows look_for_ended(sqlite::Database& database, transcript::Sequence from,
                         transcript::Sequence to, transcript::Sequence limit) {
  sqlite::Query rows = database.query(
      std::string("SELECT max(seq), count(*), coalesce(sum(needless), 0) FROM (SELECT seq, ") +
      is_needless + " AS needless FROM journal WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?)");
  rows.bind(from, to, limit);
  SweptRows swept;
  if (rows.step() && !rows.is_null(0))
    swept = {static_cast<transcript::Sequence>(rows.integer(0)), rows.integer(1), rows.integer(2)};
  return swept;
}

void delete_events_of(sqlite::Database& database, transcript::AttemptId attempt,
                      transcript::Sequence from) {
  remember_highest(database);
  database.query("DELETE FROM journal WHERE seq >= ? AND attempt = ?").bind(from, attempt).run();
}

bool is_clean(sqlite::Database& database) {
  sqlite::Query read = database.query("SELECT clean FROM meta");
  return read.step() && read.integer(0) == 1;
}

void set_clean(sqlite::Database& database, bool clean) {
  database.query("UPDATE meta SET clean = ?").bind(clean).run();
}

}  // namespace verbatim::rows
