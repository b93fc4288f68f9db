#include "storage/rows/audio_runs.hpp"

#include "storage/rows/attempt_reader.hpp"
#include "storage/sqlite/database.hpp"

namespace verbatim::rows {

void upsert_audio_run(sqlite::Database& database, transcript::AttemptId attempt,
                      const transcript::AudioPlaced& run) {
  database
      .query(
          "INSERT OR REPLACE INTO audio_run (attempt, track, item_id, begins, bytes, at_ms, "
          "encoding, rate) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(attempt, static_cast<int>(run.track), run.item_id, run.from, run.bytes, run.at_ms,
            static_cast<int>(run.format.encoding), run.format.rate)
      .run();
}

std::optional<store::RecordedAttempt> recorded_attempt(sqlite::Database& database,
                                                       const std::string& session_id,
                                                       std::optional<int> number) {
  const sqlite::Savepoint snapshot(database);
  const auto attempt = find_attempt(database, session_id, number);
  if (!attempt) return std::nullopt;
  store::RecordedAttempt found{
      attempt->number, attempt->status, attempt->started_at, attempt->ended_at, {}};
  sqlite::Query rows = database.query(
      "SELECT track, item_id, begins, bytes, at_ms, encoding, rate FROM audio_run "
      "WHERE attempt = ? ORDER BY track, begins, item_id");
  rows.bind(attempt->id);
  while (rows.step()) {
    transcript::AudioPlaced& run = found.runs.emplace_back();
    run.track = static_cast<transcript::AudioTrack>(rows.integer(0));
    run.item_id = rows.text(1);
    run.from = rows.integer(2);
    run.bytes = rows.integer(3);
    run.at_ms = rows.integer(4);
    run.format = {static_cast<transcript::AudioEncoding>(rows.integer(5)),
                  static_cast<int>(rows.integer(6))};
  }
  return found;
}

}  // namespace verbatim::rows
