#include "storage/transcript_store.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include <nlohmann/json.hpp>

#include "storage/database.hpp"
#include "storage/fold.hpp"
#include "storage/records.hpp"

namespace verbatim::storage {
namespace {

using session::SessionStatus;

/// The status of a session is that of its latest attempt.
constexpr const char* session_columns =
    "SELECT session.id, public_id, user, metadata, created_at, coalesce(latest.status, 0) "
    "FROM session LEFT JOIN attempt AS latest ON latest.session = session.id AND latest.number = "
    "(SELECT max(number) FROM attempt WHERE session = session.id)";

struct FoundSession {
  std::int64_t id = 0;
  SessionSummary summary;
};

FoundSession read_session(const Query& row) {
  FoundSession found;
  found.id = row.integer(0);
  found.summary.id = row.text(1);
  found.summary.user = row.text(2);
  found.summary.metadata_json = row.text(3);
  found.summary.created_at = row.integer(4);
  found.summary.status = static_cast<SessionStatus>(row.integer(5));
  return found;
}

std::optional<session::CloseReason> close_reason(const Query& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return static_cast<session::CloseReason>(row.integer(column));
}

std::vector<AttemptSummary> read_attempts(Database& database, std::int64_t session) {
  std::vector<AttemptSummary> attempts;
  Query rows = database.query(
      "SELECT number, status, started_at, ended_at, close_reason, complete, model, usage, "
      "(SELECT count(*) FROM turn WHERE turn.attempt = attempt.id) "
      "FROM attempt WHERE session = ? ORDER BY number");
  rows.bind(session);
  while (rows.step()) {
    AttemptSummary& attempt = attempts.emplace_back();
    attempt.number = static_cast<int>(rows.integer(0));
    attempt.status = static_cast<SessionStatus>(rows.integer(1));
    attempt.started_at = rows.integer(2);
    attempt.ended_at = rows.optional_integer(3);
    attempt.close_reason = close_reason(rows, 4);
    attempt.complete = rows.integer(5) != 0;
    attempt.model = rows.text(6);
    attempt.usage_json = rows.text(7);
    attempt.turns = static_cast<std::size_t>(rows.integer(8));
  }
  return attempts;
}

session::Turn read_turn(const Query& row) {
  session::Turn turn;
  turn.ordinal = static_cast<int>(row.integer(0));
  turn.item_id = row.text(1);
  turn.role = static_cast<session::Role>(row.integer(2));
  turn.status = static_cast<session::TurnStatus>(row.integer(3));
  turn.text = session::Text::from_wtf8(row.text(4));
  if (!row.is_null(5))
    turn.heard = session::Heard{row.integer(5), session::Text::from_wtf8(row.text(6))};
  turn.reason = row.text(7);
  turn.deleted = row.integer(8) != 0;
  turn.response_id = row.text(9);
  turn.started_at = row.optional_integer(10);
  turn.ended_at = row.optional_integer(11);
  return turn;
}

void read_turns(Database& database, session::AttemptId attempt, session::TranscriptView& view) {
  Query rows = database.query(
      "SELECT ordinal, item_id, role, status, text, heard_ms, heard_text, reason, deleted, "
      "response_id, started_at, ended_at, writers FROM turn WHERE attempt = ? "
      "ORDER BY ordinal, id");
  rows.bind(attempt);
  while (rows.step()) {
    view.turns.push_back(read_turn(rows));
    for (const auto& writer : nlohmann::json::parse(rows.text(12))) {
      auto name = writer.get<std::string>();
      if (std::find(view.writers.begin(), view.writers.end(), name) == view.writers.end())
        view.writers.push_back(std::move(name));
    }
  }
}

std::vector<session::Gap> read_gaps(const std::string& text) {
  std::vector<session::Gap> gaps;
  for (const auto& gap : nlohmann::json::parse(text)) {
    const auto kind = session::gap_kind_from_string(gap.at("kind").get<std::string>());
    if (kind) gaps.push_back({gap.at("item_id").get<std::string>(), *kind});
  }
  return gaps;
}

std::int64_t parse_cursor(const std::string& cursor) {
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(cursor.data(), cursor.data() + cursor.size(), id);
  if (error != std::errc() || end != cursor.data() + cursor.size())
    throw StorageError(Failure::not_found, "this cursor is none of ours");
  return id;
}

}  // namespace

struct TranscriptStore::Impl {
  explicit Impl(const std::filesystem::path& file)
      : database(file, {.access = Access::read_only}) {}

  std::optional<FoundSession> find(const std::string& id) {
    Query row = database.query(std::string(session_columns) + " WHERE public_id = ?");
    if (!row.bind(id).step()) return std::nullopt;
    return read_session(row);
  }

  Database database;
};

TranscriptStore::TranscriptStore(const std::filesystem::path& file)
    : impl_(std::make_unique<Impl>(file)) {}

TranscriptStore::~TranscriptStore() = default;

SessionPage TranscriptStore::list(const SessionFilter& filter) {
  // Only the number of metadata conditions varies, so the statements stay few and are kept. The
  // names and values are bound, never pasted.
  std::string sql = session_columns;
  sql +=
      " WHERE (?1 IS NULL OR coalesce(latest.status, 0) = ?1) AND (?2 IS NULL OR user = ?2)"
      " AND (?3 IS NULL OR created_at >= ?3) AND (?4 IS NULL OR created_at < ?4)"
      " AND session.id < ?5";
  for (std::size_t i = 0; i < filter.metadata.size(); ++i)
    sql +=
        " AND EXISTS (SELECT 1 FROM json_each(metadata) AS member"
        " WHERE member.type = 'text' AND member.key = ? AND member.value = ?)";
  sql += " ORDER BY session.id DESC LIMIT ?";

  std::optional<int> status;
  if (filter.status) status = static_cast<int>(*filter.status);
  const std::int64_t before = filter.cursor.empty() ? INT64_MAX : parse_cursor(filter.cursor);

  std::vector<FoundSession> found;
  {
    Query rows = impl_->database.query(sql);
    rows.bind(status, filter.user, filter.since, filter.until, before);
    for (const auto& [name, value] : filter.metadata) rows.bind(name, value);
    rows.bind(static_cast<std::int64_t>(filter.limit + 1));
    while (rows.step()) found.push_back(read_session(rows));
  }
  SessionPage page;
  const bool more = found.size() > filter.limit;
  if (more) found.resize(filter.limit);
  if (more && !found.empty()) page.next_cursor = std::to_string(found.back().id);
  for (FoundSession& one : found) {
    one.summary.attempts = read_attempts(impl_->database, one.id);
    page.sessions.push_back(std::move(one.summary));
  }
  return page;
}

std::optional<SessionSummary> TranscriptStore::session(const std::string& id) {
  auto found = impl_->find(id);
  if (!found) return std::nullopt;
  found->summary.attempts = read_attempts(impl_->database, found->id);
  return std::move(found->summary);
}

std::optional<session::TranscriptView> TranscriptStore::transcript(const std::string& id,
                                                                   std::optional<int> number) {
  // One snapshot for attempt, turns and journal rows: the writer may close the attempt meanwhile.
  Savepoint snapshot(impl_->database);
  Query row = impl_->database.query(
      "SELECT attempt.id, number, status, started_at, ended_at, close_reason, complete, gaps, "
      "first_seq FROM attempt JOIN session ON session.id = attempt.session "
      "WHERE public_id = ?1 AND (?2 IS NULL OR number = ?2) ORDER BY number DESC LIMIT 1");
  if (!row.bind(id, number).step()) return std::nullopt;

  session::TranscriptView view;
  view.session_id = id;
  view.attempt = static_cast<int>(row.integer(1));
  view.status = static_cast<SessionStatus>(row.integer(2));
  view.started_at = row.integer(3);
  view.ended_at = row.optional_integer(4);
  view.close_reason = close_reason(row, 5);
  view.complete = row.integer(6) != 0;
  if (view.status == SessionStatus::final) {
    view.gaps = read_gaps(row.text(7));
    read_turns(impl_->database, row.integer(0), view);
  } else {
    const Folded folded =
        fold(impl_->database, row.integer(0), static_cast<session::Sequence>(row.integer(8)));
    view.turns = folded.transcript.turns();
    view.gaps = folded.transcript.gaps();
    view.writers = {"relay"};
  }
  return view;
}

std::optional<TranscriptStore::ClientSecret> TranscriptStore::client_secret(const std::string& id) {
  Query row =
      impl_->database.query("SELECT session_config, expires_at FROM client_secret WHERE id = ?");
  if (!row.bind(id).step()) return std::nullopt;
  return ClientSecret{id, row.text(0), row.integer(1)};
}

void prove_writable(Database& database) { set_clean(database, false); }

bool create_session(Database& database, const std::string& id, const std::string& user,
                    const std::string& metadata_json, session::TimeMs now) {
  database
      .query(
          "INSERT OR IGNORE INTO session (public_id, user, metadata, created_at) "
          "VALUES (?, ?, ?, ?)")
      .bind(id, user, metadata_json, now)
      .run();
  return database.changes() > 0;
}

void save_client_secret(Database& database, const TranscriptStore::ClientSecret& secret) {
  database
      .query(
          "INSERT INTO client_secret (id, session_config, expires_at) VALUES (?, ?, ?) "
          "ON CONFLICT (id) DO UPDATE SET session_config = excluded.session_config, "
          "expires_at = excluded.expires_at")
      .bind(secret.id, secret.session_config_json, secret.expires_at)
      .run();
}

void prune_client_secrets(Database& database, session::TimeMs now) {
  database.query("DELETE FROM client_secret WHERE expires_at <= ?").bind(now).run();
}

bool erase_session(Database& database, const std::string& id) {
  Savepoint all_or_nothing(database);
  std::vector<std::pair<session::AttemptId, session::Sequence>> attempts;
  {
    Query rows = database.query(
        "SELECT attempt.id, first_seq FROM attempt JOIN session ON session.id = attempt.session "
        "WHERE public_id = ?");
    rows.bind(id);
    while (rows.step())
      attempts.emplace_back(rows.integer(0), static_cast<session::Sequence>(rows.integer(1)));
  }
  for (const auto& [attempt, first_seq] : attempts) {
    delete_events_of(database, attempt, first_seq);
    database.query("DELETE FROM unreadable WHERE attempt = ?").bind(attempt).run();
    database.query("DELETE FROM turn WHERE attempt = ?").bind(attempt).run();
    database.query("DELETE FROM attempt WHERE id = ?").bind(attempt).run();
  }
  database.query("DELETE FROM session WHERE public_id = ?").bind(id).run();
  const bool erased = database.changes() > 0;
  all_or_nothing.release();
  if (erased) database.want_scrub();
  return erased;
}

}  // namespace verbatim::storage
