#include "storage/rows/transcript_store.hpp"

#include <algorithm>
#include <utility>

#include "base/clock.hpp"
#include "storage/rows/attempt_reader.hpp"
#include "storage/rows/client_tokens.hpp"
#include "storage/rows/row_writer.hpp"
#include "storage/rows/session_list.hpp"
#include "storage/rows/uploads.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/schema.hpp"

namespace verbatim::rows {
namespace {

using transcript::SessionStatus;

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
  if (view.receipt) view.receipt->tail_pending = attempt.tail_pending;
  return view;
}

}  // namespace

struct TranscriptStore::Impl {
  Impl(const std::filesystem::path& file, std::size_t merged_bytes_max, sqlite::Access access)
      : database(file, {.access = access}), merges(merged_bytes_max) {
    if (access != sqlite::Access::memory)
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

TranscriptStore::TranscriptStore(std::unique_ptr<Impl> impl)
    : merged_bytes_max_(0), impl_(std::move(impl)) {}

TranscriptStore TranscriptStore::in_memory(const std::string& name) {
  return TranscriptStore(std::make_unique<Impl>(name, 0, sqlite::Access::memory));
}

void TranscriptStore::open_anew() {
  impl_ =
      std::make_unique<Impl>(impl_->database.file(), merged_bytes_max_, sqlite::Access::read_only);
}

TranscriptStore::~TranscriptStore() = default;

void TranscriptStore::interrupt() noexcept { impl_->database.interrupt(); }

sqlite::Database& TranscriptStore::database() { return impl_->database; }

store::SessionPage TranscriptStore::list(const store::SessionFilter& filter) {
  return list_sessions(impl_->database, filter);
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
    "SELECT attempt.id, public_id, user, number, model, suspended_at, settings, status, started_at "
    "FROM attempt JOIN session ON session.id = attempt.session "
    "WHERE ended_at IS NULL AND suspended_at IS NOT NULL ";

store::SuspendedAttempt read_suspended(const sqlite::Query& row) {
  store::SuspendedAttempt one;
  one.attempt = row.integer(0);
  one.session_id = row.text(1);
  one.user = row.text(2);
  one.number = static_cast<int>(row.integer(3));
  one.model = row.text(4);
  one.suspended_at = row.integer(5);
  one.settings_json = row.text(6);
  one.recovering = row.integer(7) == static_cast<int>(SessionStatus::recovering);
  one.started_at = row.integer(8);
  return one;
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

Folded TranscriptStore::folded(transcript::AttemptId attempt, FoldInto into) {
  sqlite::Savepoint snapshot(impl_->database);
  transcript::Sequence first_seq = 0;
  {
    sqlite::Query row = impl_->database.query("SELECT first_seq FROM attempt WHERE id = ?");
    if (row.bind(attempt).step()) first_seq = static_cast<transcript::Sequence>(row.integer(0));
  }
  return fold(impl_->database, attempt, first_seq, std::move(into));
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

namespace {

/// Deletes a session's rows, in the caller's savepoint. False if there is none.
bool delete_rows(sqlite::Database& database, const std::string& id) {
  remember_highest(database);
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
    database.query("DELETE FROM audio_run WHERE attempt = ?").bind(attempt).run();
    database.query("DELETE FROM repair WHERE attempt = ?").bind(attempt).run();
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
  database
      .query("DELETE FROM token_use WHERE session = (SELECT id FROM session WHERE public_id = ?)")
      .bind(id)
      .run();
  database.query("DELETE FROM session WHERE public_id = ?").bind(id).run();
  return database.changes() > 0;
}

}  // namespace

bool remove_session(sqlite::Database& database, const std::string& id) {
  sqlite::Savepoint all_or_nothing(database);
  const bool removed = delete_rows(database, id);
  all_or_nothing.release();
  if (removed) database.want_scrub();  // after the release: at once, if nothing else is open
  return removed;
}

bool has_live_attempt(sqlite::Database& database, const std::string& id) {
  sqlite::Query row = database.query(
      "SELECT 1 FROM attempt JOIN session ON session.id = attempt.session "
      "WHERE public_id = ? AND status <> 0 AND ended_at IS NULL AND suspended_at IS NULL LIMIT 1");
  return row.bind(id).step();
}

bool erase_session(sqlite::Database& database, const std::string& id) {
  sqlite::Savepoint all_or_nothing(database);
  forget_tokens_of(database, id);
  const bool erased = delete_rows(database, id);
  release_uploads(database, id, std::nullopt, now().wall);
  all_or_nothing.release();
  if (erased) database.want_scrub();
  return erased;
}

}  // namespace verbatim::rows
