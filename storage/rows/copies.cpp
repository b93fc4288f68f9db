#include "storage/rows/copies.hpp"

#include "storage/rows/attempt_reader.hpp"
#include "storage/rows/merges.hpp"
#include "storage/sqlite/database.hpp"

namespace verbatim::rows {
namespace {

using transcript::SessionStatus;

std::int64_t session_row(sqlite::Database& database, const std::string& public_id) {
  sqlite::Query row = database.query("SELECT id FROM session WHERE public_id = ?");
  if (!row.bind(public_id).step())
    throw store::StorageError(store::Failure::not_found, "there is no session " + public_id);
  return row.integer(0);
}

/// An attempt that no relay has begun: its transcript comes from posted copies.
AttemptRow insert_created(sqlite::Database& database, std::int64_t session, int number,
                          TimeMs now) {
  database
      .query(
          "INSERT INTO attempt (session, number, status, started_at, model, first_seq) "
          "VALUES (?, ?, ?, ?, '', 0)")
      .bind(session, number, static_cast<int>(SessionStatus::created), now)
      .run();
  AttemptRow made;
  made.id = database.last_insert_id();
  made.number = number;
  made.started_at = now;
  return made;
}

AttemptRow attempt_meant(sqlite::Database& database, const store::PostedCopy& posted) {
  const std::int64_t session = session_row(database, posted.session_id);
  if (auto found = find_attempt(database, posted.session_id, posted.attempt)) return *found;
  const auto latest = find_attempt(database, posted.session_id);
  const int next = latest ? latest->number + 1 : 1;
  const bool runs =
      latest && latest->status != SessionStatus::final && latest->status != SessionStatus::created;
  if (posted.attempt.value_or(next) != next || runs)
    throw store::StorageError(
        store::Failure::not_found,
        "session " + posted.session_id + " has no attempt " + std::to_string(*posted.attempt));
  return insert_created(database, session, next, posted.now);
}

/// The limits apply to the sum of an attempt's copies, because all of them are merged together.
void check_limits(sqlite::Database& database, const AttemptRow& attempt,
                  const store::PostedCopy& posted, std::size_t bytes) {
  if (posted.limits.nothing_new != nullptr)
    throw store::StorageError(store::Failure::too_many, posted.limits.nothing_new);
  sqlite::Query row =
      database.query("SELECT copies, copy_turns, copy_bytes FROM attempt WHERE id = ?");
  row.bind(attempt.id).step();
  const auto check = [&](int column, std::size_t more, std::size_t most, const char* what) {
    if (static_cast<std::size_t>(row.integer(column)) + more <= most) return;
    throw store::StorageError(store::Failure::too_many,
                              "the copies of attempt " + std::to_string(attempt.number) +
                                  " of session " + posted.session_id +
                                  " would add up to more than " + std::to_string(most) + " " +
                                  what + posted.limits.of);
  };
  check(0, 1, posted.limits.copies_max, "copies (posts.copies_max)");
  check(1, posted.copy.turns.size(), posted.limits.turns_max, "turns (posts.attempt_turns_max)");
  check(2, bytes, posted.limits.bytes_max, "bytes (posts.attempt_bytes_max)");
}

}  // namespace

store::KeptCopy keep_copy(sqlite::Database& database, const store::PostedCopy& posted) {
  const AttemptRow attempt = attempt_meant(database, posted);
  const std::string body =
      posted.body.empty() ? transcript::encode_turns(posted.copy.turns) : posted.body;
  store::KeptCopy kept;
  kept.attempt = attempt.id;
  kept.attempt_number = attempt.number;
  {
    sqlite::Query same =
        database.query("SELECT id FROM copy WHERE attempt = ? AND writer = ? AND body = ?");
    if (same.bind(attempt.id, posted.copy.writer, body).step()) {
      kept.id = same.integer(0);
      kept.merges_slowly = merge_lane(database, attempt.id) == store::MergeLane::slow;
      return kept;
    }
  }
  check_limits(database, attempt, posted, body.size());
  database.query("INSERT INTO copy (attempt, writer, posted_at, body) VALUES (?, ?, ?, ?)")
      .bind(attempt.id, posted.copy.writer, posted.now, body)
      .run();
  kept.id = database.last_insert_id();
  kept.is_new = true;
  database
      .query(
          "UPDATE attempt SET copies = copies + 1, copy_turns = copy_turns + ?, "
          "copy_bytes = copy_bytes + ?, to_merge = CASE WHEN status = ? THEN coalesce(to_merge, 0) "
          "WHEN status <> ? THEN NULL "
          "WHEN coalesce(to_merge, 0) = 0 THEN ? ELSE to_merge END WHERE id = ?")
      .bind(posted.copy.turns.size(), body.size(), static_cast<int>(SessionStatus::created),
            static_cast<int>(SessionStatus::final), kept.id, attempt.id)
      .run();
  kept.merges_slowly = merge_lane(database, attempt.id) == store::MergeLane::slow;
  return kept;
}

void mark_to_merge(sqlite::Database& database, transcript::AttemptId attempt) {
  database.query("UPDATE attempt SET to_merge = coalesce(to_merge, 0) WHERE id = ? AND copies > 0")
      .bind(attempt)
      .run();
}

transcript::Copy read_copy(sqlite::Database& database, std::int64_t id, std::string writer,
                           const std::string& body) {
  auto turns = transcript::decode_turns(body);
  if (!turns)
    throw store::StorageError(store::Failure::corrupt, database.file().string() + ": copy " +
                                                           std::to_string(id) +
                                                           " cannot be read; restore a backup");
  return {std::move(writer), std::move(*turns)};
}

std::vector<transcript::Copy> copies_of(sqlite::Database& database, transcript::AttemptId attempt,
                                        std::int64_t last) {
  std::vector<transcript::Copy> copies;
  sqlite::Query rows =
      database.query("SELECT writer, body, id FROM copy WHERE attempt = ? AND id <= ? ORDER BY id");
  rows.bind(attempt, last);
  while (rows.step())
    copies.push_back(read_copy(database, rows.integer(2), rows.text(0), rows.text(1)));
  return copies;
}

}  // namespace verbatim::rows
