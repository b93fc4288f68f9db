#include "storage/copies.hpp"

#include "storage/database.hpp"
#include "storage/evidence.hpp"
#include "storage/outbox.hpp"

namespace verbatim::storage {
namespace {

using session::SessionStatus;

std::int64_t session_row(Database& database, const std::string& public_id) {
  Query row = database.query("SELECT id FROM session WHERE public_id = ?");
  if (!row.bind(public_id).step())
    throw StorageError(Failure::not_found, "there is no session " + public_id);
  return row.integer(0);
}

/// An attempt that nobody has begun to relay: its transcript is what writers post.
AttemptRow insert_created(Database& database, std::int64_t session, int number,
                          session::TimeMs now) {
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

AttemptRow attempt_meant(Database& database, const PostedCopy& posted) {
  const std::int64_t session = session_row(database, posted.session_id);
  if (auto found = find_attempt(database, posted.session_id, posted.attempt)) return *found;
  const auto latest = find_attempt(database, posted.session_id);
  const int next = latest ? latest->number + 1 : 1;
  const bool runs =
      latest && latest->status != SessionStatus::final && latest->status != SessionStatus::created;
  if (posted.attempt.value_or(next) != next || runs)
    throw StorageError(Failure::not_found, "session " + posted.session_id + " has no attempt " +
                                               std::to_string(*posted.attempt));
  return insert_created(database, session, next, posted.now);
}

std::int64_t count_copies(Database& database, session::AttemptId attempt) {
  Query row = database.query("SELECT count(*) FROM copy WHERE attempt = ?");
  row.bind(attempt).step();
  return row.integer(0);
}

}  // namespace

KeptCopy keep_copy(Database& database, const PostedCopy& posted) {
  const AttemptRow attempt = attempt_meant(database, posted);
  const std::string body = session::encode_turns(posted.copy.turns);
  KeptCopy kept;
  kept.attempt = attempt.id;
  kept.attempt_number = attempt.number;
  {
    Query same =
        database.query("SELECT id FROM copy WHERE attempt = ? AND writer = ? AND body = ?");
    if (same.bind(attempt.id, posted.copy.writer, body).step()) {
      kept.id = same.integer(0);
      return kept;
    }
  }
  if (count_copies(database, attempt.id) >= static_cast<std::int64_t>(posted.copies_max))
    throw StorageError(Failure::too_many, "attempt " + std::to_string(attempt.number) +
                                              " of session " + posted.session_id +
                                              " has as many copies as it may have");
  database.query("INSERT INTO copy (attempt, writer, posted_at, body) VALUES (?, ?, ?, ?)")
      .bind(attempt.id, posted.copy.writer, posted.now, body)
      .run();
  kept.id = database.last_insert_id();
  kept.is_new = true;
  if (attempt.status != SessionStatus::final) return kept;
  recount(database, attempt);
  session::Contribution brought;
  const auto copies = copies_of(database, attempt.id);
  session::merge(heard_by_relay(database, attempt), copies, copies.size() - 1, brought);
  if (brought.added + brought.extended > 0)
    announce(database, MessageKind::transcript_updated, attempt.id, posted.now);
  return kept;
}

void recount(Database& database, const AttemptRow& attempt) {
  if (count_copies(database, attempt.id) == 0) return;
  const auto merged = merged_transcript(database, attempt);
  database.query("UPDATE attempt SET merged_turns = ?, merged_complete = ? WHERE id = ?")
      .bind(static_cast<std::int64_t>(merged.turns.size()), merged.complete, attempt.id)
      .run();
}

std::vector<session::Copy> copies_of(Database& database, session::AttemptId attempt,
                                     std::int64_t last) {
  std::vector<session::Copy> copies;
  Query rows =
      database.query("SELECT writer, body, id FROM copy WHERE attempt = ? AND id <= ? ORDER BY id");
  rows.bind(attempt, last);
  while (rows.step()) {
    auto turns = session::decode_turns(rows.text(1));
    if (!turns)
      throw StorageError(Failure::corrupt, database.file().string() + ": copy " +
                                               std::to_string(rows.integer(2)) +
                                               " can not be read; restore a backup");
    copies.push_back({rows.text(0), std::move(*turns)});
  }
  return copies;
}

}  // namespace verbatim::storage
