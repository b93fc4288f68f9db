#include "storage/rows/repairs.hpp"

#include "base/assert.hpp"
#include "session/transcript/turn.hpp"
#include "session/transcript/usage.hpp"
#include "storage/rows/attempt_reader.hpp"
#include "storage/rows/copies.hpp"
#include "storage/sqlite/database.hpp"

namespace verbatim::rows {

namespace {

/// Of the attempts in `looked`: whether the user's track names the speech of an item, and the relay
/// lacks the text of one. The two names of the gap are those of GapKind.
constexpr const char* lacks_text =
    "EXISTS (SELECT 1 FROM audio_run WHERE audio_run.attempt = looked.id AND track = 0 "
    "AND item_id <> '') AND "
    "(instr(gaps, '\"failed_transcription\"') OR instr(gaps, '\"missing_transcription\"') OR "
    "EXISTS (SELECT 1 FROM turn WHERE turn.attempt = looked.id AND role = 1 AND turn.status = 1 "
    "AND text = ''))";

[[noreturn]] void refuse_missing(const store::RepairableAttempt& attempt) {
  throw store::StorageError(
      store::Failure::not_found,
      "session " + attempt.session_id + " has no attempt " + std::to_string(attempt.number));
}

AttemptRow existing(sqlite::Database& database, const store::RepairableAttempt& attempt) {
  const auto found = find_attempt(database, attempt.session_id, attempt.number);
  if (!found) refuse_missing(attempt);
  return *found;
}

}  // namespace

store::RepairPage find_repairable(sqlite::Database& database, const store::RepairCursor& since,
                                  std::size_t limit) {
  store::RepairPage page;
  page.next = since;
  sqlite::Query rows = database.query(
      "SELECT looked.changed, looked.id, public_id, number, status = 3 AND " +
      std::string(lacks_text) +
      " FROM (SELECT * FROM attempt WHERE changed >= ?1 AND (changed > ?1 OR id > ?2) "
      "ORDER BY changed, id LIMIT ?3) AS looked JOIN session ON session.id = looked.session "
      "ORDER BY looked.changed, looked.id");
  rows.bind(since.changed, since.attempt, static_cast<std::int64_t>(limit));
  std::size_t looked = 0;
  for (; rows.step(); ++looked) {
    page.next = {rows.integer(0), rows.integer(1)};
    if (rows.integer(4) != 0)
      page.attempts.push_back({rows.text(2), static_cast<int>(rows.integer(3))});
  }
  page.more = looked == limit;
  return page;
}

store::RepairRecord read_repair(sqlite::Database& database,
                                const store::RepairableAttempt& attempt) {
  store::RepairRecord record;
  const sqlite::Savepoint snapshot(database);
  const auto found = find_attempt(database, attempt.session_id, attempt.number);
  if (!found) return record;
  {
    sqlite::Query row = database.query("SELECT usage FROM attempt WHERE id = ?");
    if (row.bind(found->id).step()) record.language = transcript::language_in(row.text(0));
  }
  sqlite::Query rows =
      database.query("SELECT item_id, tries, audio_ms FROM repair WHERE attempt = ?");
  rows.bind(found->id);
  while (rows.step())
    record.tries.push_back({rows.text(0), static_cast<int>(rows.integer(1)), rows.integer(2)});
  return record;
}

void note_repair_try(sqlite::Database& database, const store::RepairTry& one) {
  const AttemptRow attempt = existing(database, one.attempt);
  database
      .query(
          "INSERT INTO repair (attempt, item_id, tries, audio_ms) VALUES (?1, ?2, ?3, ?4) "
          "ON CONFLICT (attempt, item_id) DO UPDATE SET tries = tries + ?3, "
          "audio_ms = audio_ms + ?4")
      .bind(attempt.id, one.item_id, one.another ? 1 : 0, one.audio_ms)
      .run();
}

void forget_repair_tries(sqlite::Database& database, const store::RepairableAttempt& attempt) {
  const AttemptRow found = existing(database, attempt);
  database.query("DELETE FROM repair WHERE attempt = ?").bind(found.id).run();
}

store::KeptCopy keep_repair(sqlite::Database& database, store::PostedCopy posted) {
  VERBATIM_EXPECTS(posted.attempt && posted.copy.turns.size() == 1);
  transcript::CopyTurn& turn = posted.copy.turns.front();
  const store::RepairableAttempt name{posted.session_id, *posted.attempt};
  const AttemptRow attempt = existing(database, name);
  {
    sqlite::Query tried = database.query("SELECT 1 FROM repair WHERE attempt = ? AND item_id = ?");
    if (!tried.bind(attempt.id, turn.item_id).step()) refuse_missing(name);
  }
  {
    sqlite::Query row =
        database.query("SELECT ordinal FROM turn WHERE attempt = ? AND item_id = ?");
    if (row.bind(attempt.id, turn.item_id).step()) turn.ordinal = static_cast<int>(row.integer(0));
  }
  return keep_copy(database, posted);
}

}  // namespace verbatim::rows
