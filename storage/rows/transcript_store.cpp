#include "storage/rows/transcript_store.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "storage/rows/attempt_reader.hpp"
#include "storage/rows/client_tokens.hpp"
#include "storage/rows/fold.hpp"
#include "storage/rows/row_writer.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/schema.hpp"

namespace verbatim::rows {
namespace {

using transcript::SessionStatus;

/// The status of a session is that of its latest attempt.
constexpr const char* session_columns =
    "SELECT session.id, public_id, user, metadata, created_at, coalesce(latest.status, 0), private "
    "FROM session LEFT JOIN attempt AS latest ON latest.session = session.id AND latest.number = "
    "(SELECT max(number) FROM attempt WHERE session = session.id)";

struct FoundSession {
  std::int64_t id = 0;
  store::SessionSummary summary;
};

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

std::optional<transcript::CloseReason> close_reason(const sqlite::Query& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return static_cast<transcript::CloseReason>(row.integer(column));
}

std::vector<store::AttemptSummary> read_attempts(sqlite::Database& database, std::int64_t session) {
  std::vector<store::AttemptSummary> attempts;
  sqlite::Query rows = database.query(
      "SELECT number, status, started_at, ended_at, close_reason, "
      "coalesce(merged_complete, complete), model, usage, "
      "coalesce(merged_turns, (SELECT count(*) FROM turn WHERE turn.attempt = attempt.id)) "
      "FROM attempt WHERE session = ? ORDER BY number");
  rows.bind(session);
  while (rows.step()) {
    store::AttemptSummary& attempt = attempts.emplace_back();
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

bool was_posted_to(sqlite::Database& database, transcript::AttemptId attempt) {
  return database.query("SELECT 1 FROM attempt WHERE id = ? AND copies > 0").bind(attempt).step();
}

transcript::TranscriptView view_of(sqlite::Database& database, MergeCache& merges,
                                   const std::string& id, const AttemptRow& attempt) {
  transcript::TranscriptView view;
  view.session_id = id;
  view.attempt = attempt.number;
  view.status = attempt.status;
  view.started_at = attempt.started_at;
  view.ended_at = attempt.ended_at;
  view.close_reason = attempt.close_reason;
  view.show(merges.merged(database, attempt)->transcript);
  return view;
}

std::int64_t parse_cursor(const std::string& cursor) {
  std::int64_t id = 0;
  const auto [end, error] = std::from_chars(cursor.data(), cursor.data() + cursor.size(), id);
  if (error != std::errc() || end != cursor.data() + cursor.size())
    throw store::StorageError(store::Failure::not_found,
                              "this cursor is unknown: use next_cursor of the page before");
  return id;
}

}  // namespace

struct TranscriptStore::Impl {
  Impl(const std::filesystem::path& file, std::size_t merged_bytes_max, sqlite::Access access)
      : database(file, {.access = access}), merges(merged_bytes_max) {
    sqlite::require_current_schema(database, database.schema_found());
  }
  static std::unique_ptr<Impl> open(const std::filesystem::path& file,
                                    std::size_t merged_bytes_max) {
    try {
      return std::make_unique<Impl>(file, merged_bytes_max, sqlite::Access::read_only);
    } catch (const store::StorageError& error) {
      if (error.failure() != store::Failure::disk_full) throw;
      return std::make_unique<Impl>(file, merged_bytes_max, sqlite::Access::look);
    }
  }

  std::optional<FoundSession> find(const std::string& id) {
    sqlite::Query row = database.query(std::string(session_columns) + " WHERE public_id = ?");
    if (!row.bind(id).step()) return std::nullopt;
    return read_session(row);
  }

  sqlite::Database database;
  MergeCache merges;
};

TranscriptStore::TranscriptStore(const std::filesystem::path& file, std::size_t merged_bytes_max)
    : merged_bytes_max_(merged_bytes_max), impl_(Impl::open(file, merged_bytes_max)) {}

void TranscriptStore::open_anew() {
  impl_ =
      std::make_unique<Impl>(impl_->database.file(), merged_bytes_max_, sqlite::Access::read_only);
}

TranscriptStore::~TranscriptStore() = default;

void TranscriptStore::interrupt() noexcept { impl_->database.interrupt(); }

sqlite::Database& TranscriptStore::database() { return impl_->database; }

store::SessionPage TranscriptStore::list(const store::SessionFilter& filter) {
  // Only the number of metadata conditions varies, so there are few statements and they stay
  // compiled. Names and values are bound, never inserted into the SQL.
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
    sqlite::Query rows = impl_->database.query(sql);
    rows.bind(status, filter.user, filter.since, filter.until, before);
    for (const auto& [name, value] : filter.metadata) rows.bind(name, value);
    rows.bind(static_cast<std::int64_t>(filter.limit + 1));
    while (rows.step()) found.push_back(read_session(rows));
  }
  store::SessionPage page;
  const bool more = found.size() > filter.limit;
  if (more) found.resize(filter.limit);
  if (more && !found.empty()) page.next_cursor = std::to_string(found.back().id);
  for (FoundSession& one : found) {
    one.summary.attempts = read_attempts(impl_->database, one.id);
    page.sessions.push_back(std::move(one.summary));
  }
  return page;
}

std::optional<store::SessionSummary> TranscriptStore::session(const std::string& id) {
  // One snapshot for the summary, the receipt and the journal rows: the writer may end the attempt
  // meanwhile.
  sqlite::Savepoint snapshot(impl_->database);
  auto found = impl_->find(id);
  if (!found) return std::nullopt;
  found->summary.attempts = read_attempts(impl_->database, found->id);
  for (store::AttemptSummary& one : found->summary.attempts) {
    const auto attempt = find_attempt(impl_->database, id, one.number);
    if (!attempt) continue;
    if (one.status == SessionStatus::final) {
      const auto view = view_of(impl_->database, impl_->merges, id, *attempt);
      one.receipt = view.receipt;
      one.turns = view.turns.size();
      one.complete = view.complete;
      continue;
    }
    const transcript::FinalTranscript heard = heard_by_relay(impl_->database, *attempt);
    one.usage_json = heard.usage_json;
    one.turns = heard.turns.size();
    if (was_posted_to(impl_->database, attempt->id))
      one.turns = impl_->merges.merged(impl_->database, *attempt)->transcript.turns.size();
  }
  return std::move(found->summary);
}

std::optional<std::string> TranscriptStore::owner_of(const std::string& id) {
  sqlite::Query row = impl_->database.query("SELECT user FROM session WHERE public_id = ?");
  if (!row.bind(id).step()) return std::nullopt;
  return row.text(0);
}

std::optional<transcript::TranscriptView> TranscriptStore::transcript(const std::string& id,
                                                                      std::optional<int> number) {
  // One snapshot for attempt, turns and journal rows: the writer may end the attempt meanwhile.
  sqlite::Savepoint snapshot(impl_->database);
  const auto attempt = find_attempt(impl_->database, id, number);
  if (!attempt) return std::nullopt;
  return view_of(impl_->database, impl_->merges, id, *attempt);
}

std::optional<std::vector<transcript::TranscriptView>> TranscriptStore::transcripts(
    const std::string& id) {
  sqlite::Savepoint snapshot(impl_->database);
  const auto found = impl_->find(id);
  if (!found) return std::nullopt;
  std::vector<transcript::TranscriptView> views;
  for (const store::AttemptSummary& one : read_attempts(impl_->database, found->id))
    if (const auto attempt = find_attempt(impl_->database, id, one.number))
      views.push_back(view_of(impl_->database, impl_->merges, id, *attempt));
  return views;
}

std::optional<store::TranscriptViews> TranscriptStore::read(
    const store::TranscriptRequest& request) {
  if (request.all_attempts) return transcripts(request.session_id);
  auto one = transcript(request.session_id, request.attempt);
  if (!one) return std::nullopt;
  store::TranscriptViews views;
  views.push_back(*std::move(one));
  return views;
}

std::optional<store::PostOutcome> TranscriptStore::outcome_of(const store::KeptCopy& kept,
                                                              const std::string& session_id) {
  sqlite::Savepoint snapshot(impl_->database);
  const auto attempt = find_attempt(impl_->database, session_id, kept.attempt_number);
  if (!attempt || attempt->id != kept.attempt) return std::nullopt;
  const auto with_it = impl_->merges.merged(impl_->database, *attempt, kept.id);
  store::PostOutcome outcome;
  outcome.brought = with_it->brought;
  if (!kept.is_new) {
    auto& brought = outcome.brought;
    brought = {0, 0, brought.added + brought.extended + brought.unchanged};
  }
  sqlite::Query newest = impl_->database.query("SELECT max(id) FROM copy WHERE attempt = ?");
  const bool is_newest = newest.bind(attempt->id).step() && newest.integer(0) == kept.id;
  const auto all = is_newest ? with_it : impl_->merges.merged(impl_->database, *attempt);
  outcome.turns = all->transcript.turns.size();
  outcome.complete = all->transcript.complete;
  return outcome;
}

std::optional<MergeNews> TranscriptStore::merge_news(transcript::AttemptId attempt) {
  sqlite::Savepoint snapshot(impl_->database);
  return impl_->merges.news(impl_->database, attempt);
}

std::vector<std::string> TranscriptStore::ended_before(TimeMs time, std::size_t limit) {
  // An attempt that was never relayed has no end: its last post counts. A session without attempts
  // has not begun, so it is not over.
  sqlite::Query rows = impl_->database.query(
      "SELECT public_id FROM session WHERE EXISTS (SELECT 1 FROM attempt WHERE session = "
      "session.id) AND NOT EXISTS (SELECT 1 FROM attempt "
      "WHERE session = session.id AND CASE status WHEN 0 THEN max(started_at, coalesce((SELECT "
      "max(posted_at) FROM copy WHERE copy.attempt = attempt.id), 0)) ELSE coalesce(ended_at, ?1) "
      "END >= ?1) ORDER BY session.id LIMIT ?2");
  rows.bind(time, static_cast<std::int64_t>(limit));
  std::vector<std::string> ids;
  while (rows.step()) ids.push_back(rows.text(0));
  return ids;
}

namespace {

constexpr const char* suspended_attempts =
    "SELECT attempt.id, public_id, user, number, model, suspended_at, settings FROM attempt "
    "JOIN session ON session.id = attempt.session "
    "WHERE ended_at IS NULL AND suspended_at IS NOT NULL ";

store::SuspendedAttempt read_suspended(const sqlite::Query& row) {
  return {row.integer(0), row.text(1),    row.text(2), static_cast<int>(row.integer(3)),
          row.text(4),    row.integer(5), row.text(6)};
}

}  // namespace

std::optional<store::SuspendedAttempt> TranscriptStore::suspended(const std::string& session_id) {
  sqlite::Query row = impl_->database.query(std::string(suspended_attempts) + "AND public_id = ?");
  if (!row.bind(session_id).step()) return std::nullopt;
  return read_suspended(row);
}

std::vector<store::SuspendedAttempt> TranscriptStore::suspended_before(TimeMs time,
                                                                       std::size_t limit) {
  sqlite::Query rows = impl_->database.query(std::string(suspended_attempts) +
                                             "AND suspended_at <= ? ORDER BY first_seq LIMIT ?");
  rows.bind(time, static_cast<std::int64_t>(limit));
  std::vector<store::SuspendedAttempt> found;
  while (rows.step()) found.push_back(read_suspended(rows));
  return found;
}

transcript::Transcript TranscriptStore::folded(transcript::AttemptId attempt) {
  return folded(attempt, nullptr, 0);
}

transcript::Transcript TranscriptStore::folded(transcript::AttemptId attempt,
                                               std::unique_ptr<transcript::Spill> spill,
                                               std::size_t items_in_memory) {
  sqlite::Savepoint snapshot(impl_->database);
  transcript::Sequence first_seq = 0;
  {
    sqlite::Query row = impl_->database.query("SELECT first_seq FROM attempt WHERE id = ?");
    if (row.bind(attempt).step()) first_seq = static_cast<transcript::Sequence>(row.integer(0));
  }
  return fold(impl_->database, attempt, first_seq, {std::move(spill), items_in_memory}).transcript;
}

transcript::Usage TranscriptStore::used_by(const std::string& user, TimeMs from, TimeMs to) {
  sqlite::Query rows = impl_->database.query(
      "SELECT usage FROM session JOIN attempt ON attempt.session = session.id "
      "WHERE user = ? AND started_at >= ? AND started_at < ? AND ended_at IS NOT NULL");
  rows.bind(user, from, to);
  transcript::Usage used;
  while (rows.step()) used += transcript::sum_usage(rows.text(0));
  return used;
}

void prove_writable(sqlite::Database& database) { set_clean(database, false); }

store::MadeSession create_session(sqlite::Database& database, const store::NewSession& asked) {
  using Outcome = store::MadeSession::Outcome;
  std::optional<std::string> idempotency;
  std::optional<std::string> request;
  if (!asked.idempotency.empty()) {
    idempotency = asked.idempotency;
    request = asked.request;
    sqlite::Query made =
        database.query("SELECT public_id, request = ? FROM session WHERE idempotency = ?");
    if (made.bind(asked.request, asked.idempotency).step())
      return {made.integer(1) != 0 ? Outcome::there_already : Outcome::key_of_another_request,
              made.text(0)};
  }
  sqlite::Query there = database.query("SELECT user = ? FROM session WHERE public_id = ?");
  if (there.bind(asked.user, asked.id).step())
    return {there.integer(0) != 0 ? Outcome::there_already : Outcome::another_users, asked.id};
  database
      .query(
          "INSERT INTO session (public_id, user, metadata, private, created_at, idempotency, "
          "request) VALUES (?, ?, ?, ?, ?, ?, ?)")
      .bind(asked.id, asked.user, asked.metadata_json, asked.private_json, asked.now, idempotency,
            request)
      .run();
  return {Outcome::made, asked.id};
}

void patch_metadata(sqlite::Database& database, const std::string& id,
                    const store::MetadataPatch& patch, std::size_t bytes_max) {
  sqlite::Query read = database.query(
      "SELECT json_patch(metadata, ?), json_patch(private, ?) FROM session WHERE public_id = ?");
  if (!read.bind(patch.metadata, patch.private_metadata, id).step())
    throw store::StorageError(store::Failure::not_found, "there is no session " + id);
  const std::string metadata = read.text(0);
  const std::string kept_private = read.text(1);
  if (std::max(metadata.size(), kept_private.size()) > bytes_max)
    throw store::StorageError(store::Failure::too_many, "the metadata would have more than " +
                                                            std::to_string(bytes_max) + " bytes");
  database.query("UPDATE session SET metadata = ?, private = ? WHERE public_id = ?")
      .bind(metadata, kept_private, id)
      .run();
}

bool erase_session(sqlite::Database& database, const std::string& id) {
  sqlite::Savepoint all_or_nothing(database);
  std::vector<std::pair<transcript::AttemptId, transcript::Sequence>> attempts;
  {
    sqlite::Query rows = database.query(
        "SELECT attempt.id, first_seq FROM attempt JOIN session ON session.id = attempt.session "
        "WHERE public_id = ?");
    rows.bind(id);
    while (rows.step())
      attempts.emplace_back(rows.integer(0), static_cast<transcript::Sequence>(rows.integer(1)));
  }
  for (const auto& [attempt, first_seq] : attempts) {
    delete_events_of(database, attempt, first_seq);
    database.query("DELETE FROM unreadable WHERE attempt = ?").bind(attempt).run();
    database.query("DELETE FROM turn WHERE attempt = ?").bind(attempt).run();
    database.query("DELETE FROM tool_call WHERE attempt = ?").bind(attempt).run();
    database.query("DELETE FROM copy WHERE attempt = ?").bind(attempt).run();
    for (const char* const table : {"delivery_try", "delivery"})
      database
          .query(std::string("DELETE FROM ") + table +
                 " WHERE message IN (SELECT id FROM message WHERE attempt = ?)")
          .bind(attempt)
          .run();
    database.query("DELETE FROM message WHERE attempt = ?").bind(attempt).run();
    database.query("DELETE FROM attempt WHERE id = ?").bind(attempt).run();
  }
  forget_tokens_of(database, id);
  database.query("DELETE FROM session WHERE public_id = ?").bind(id).run();
  const bool erased = database.changes() > 0;
  all_or_nothing.release();
  if (erased) database.want_scrub();
  return erased;
}

}  // namespace verbatim::rows
