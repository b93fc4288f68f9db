#include "storage/maintenance/recovery.hpp"

#include <algorithm>
#include <set>

#include "storage/journal/segment.hpp"
#include "storage/rows/change_tracking.hpp"
#include "storage/rows/client_tokens.hpp"
#include "storage/rows/event_codec.hpp"
#include "storage/rows/fold.hpp"
#include "storage/rows/recovering.hpp"
#include "storage/rows/row_writer.hpp"
#include "storage/rows/transcript_store.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/schema.hpp"
#include "storage/sqlite/store_files.hpp"

namespace verbatim::maintenance {
namespace {

struct UnfinishedAttempt {
  transcript::AttemptId id = 0;
  std::string session_id;
  std::string user;
  int number = 0;
  TimeMs started_at = 0;
  transcript::Sequence first_seq = 0;
  std::optional<TimeMs> suspended_at;  ///< by its process, in order
  std::int64_t recoveries = 0;
};

std::vector<UnfinishedAttempt> unfinished_attempts(sqlite::Database& database) {
  std::vector<UnfinishedAttempt> found;
  sqlite::Query rows = database.query(
      "SELECT attempt.id, public_id, user, number, started_at, first_seq, suspended_at, status, "
      "recoveries FROM attempt JOIN session ON session.id = attempt.session "
      "WHERE ended_at IS NULL AND status <> 0 ORDER BY first_seq");
  while (rows.step()) {
    UnfinishedAttempt one;
    one.id = rows.integer(0);
    one.session_id = rows.text(1);
    one.user = rows.text(2);
    one.number = static_cast<int>(rows.integer(3));
    one.started_at = rows.integer(4);
    one.first_seq = static_cast<transcript::Sequence>(rows.integer(5));
    if (rows.integer(7) != static_cast<int>(transcript::SessionStatus::recovering))
      one.suspended_at = rows.optional_integer(6);
    one.recoveries = rows.integer(8);
    found.push_back(std::move(one));
  }
  return found;
}

/// Attempts that stay open, and the first journal row that they need.
struct LeftOpen {
  std::optional<transcript::Sequence> needed;

  void add(const UnfinishedAttempt& attempt, RecoveryReport& report) {
    needed = std::min(needed.value_or(attempt.first_seq), attempt.first_seq);
    report.waiting.push_back({attempt.session_id, attempt.user, !attempt.suspended_at});
  }
};

/// How long an open attempt may have waited.
std::int64_t window_of(const RecoveryOptions& options) {
  return options.in_fleet ? INT64_MAX : options.resume_window_ms;
}

/// Takes out the attempts that another process suspended and that may still continue.
LeftOpen leave_suspended(std::vector<UnfinishedAttempt>& attempts, TimeMs now,
                         std::int64_t window_ms, RecoveryReport& report) {
  LeftOpen left;
  report.waiting.clear();
  report.suspended = 0;
  std::erase_if(attempts, [&](const UnfinishedAttempt& attempt) {
    if (!attempt.suspended_at || now - *attempt.suspended_at >= window_ms) return false;
    left.add(attempt, report);
    ++report.suspended;
    return true;
  });
  return left;
}

/// "ok", or SQLite's first finding. If a WAL was cut short, indexes may contradict their tables,
/// which only the thorough check finds. The thorough check also decides if the quick one finds
/// something: SQLite 3.40's quick check mistakes whole numbers for NULL in tables without row ids,
/// such as token_use.
std::string check_pages(sqlite::Database& database, bool thoroughly) {
  try {
    sqlite::Query check =
        database.query(thoroughly ? "PRAGMA integrity_check(1)" : "PRAGMA quick_check(1)");
    std::string said = check.step() ? check.text(0) : "quick_check gave no answer";
    if (thoroughly || said == "ok") return said;
  } catch (const store::StorageError& error) {
    if (error.failure() != store::Failure::corrupt) throw;
    return error.what();
  }
  return check_pages(database, true);
}

/// The state of a file before it is changed.
struct Inspection {
  bool clean = true;
  std::string integrity;  ///< empty if it was not checked
};

/// Changes nothing. Checks the pages if the file was not closed in order, if its WAL has lost rows,
/// or if `in_any_case`.
Inspection inspect(const std::filesystem::path& file, const sqlite::LogReport& its_log,
                   bool in_any_case, RecoveryReport& report) try {
  sqlite::Database database(file, {.access = sqlite::Access::look});
  Inspection seen;
  seen.clean = database.schema_found() == 0 || rows::is_clean(database);
  const auto log = sqlite::judge_log(file, its_log, seen.clean);
  const bool lost = log && log->lost;
  if (log) report.logs.push_back(*log);
  seen.clean &= !lost;
  if (!seen.clean || in_any_case) seen.integrity = check_pages(database, lost);
  return seen;
} catch (const store::StorageError& error) {
  if (error.failure() != store::Failure::corrupt) throw;
  return {false, "its first pages cannot be read (SQLite code " +
                     std::to_string(error.native_code()) + ")"};
}

void refuse_damaged(const std::filesystem::path& file, const std::string& integrity) {
  if (integrity.empty() || integrity == "ok") return;
  throw store::StorageError(
      store::Failure::corrupt,
      file.string() + ": damaged: " + integrity +
          "; nothing was changed; keep a copy of it with its -wal and restore it "
          "from a backup, or move both away to start with an empty store");
}

/// Keeps the journal rows of an attempt that cannot be read: a later version or a person may be
/// able to read them.
void set_unreadable_aside(sqlite::Database& database, const UnfinishedAttempt& attempt) {
  sqlite::Query rows =
      database.query("SELECT seq, body FROM journal WHERE seq >= ? AND attempt = ? ORDER BY seq");
  rows.bind(attempt.first_seq, attempt.id);
  while (rows.step()) {
    if (rows::decode_event(rows.blob(1))) continue;
    database
        .query(
            "INSERT OR IGNORE INTO unreadable SELECT seq, attempt, at, body FROM journal "
            "WHERE seq = ?")
        .bind(rows.integer(0))
        .run();
  }
}

std::set<std::string> open_turns(const transcript::Transcript& transcript) {
  std::set<std::string> open;
  for (const transcript::Turn& turn : transcript.turns())
    if (turn.status == transcript::TurnStatus::in_progress) open.insert(turn.item_id);
  return open;
}

/// Ends an attempt that no client can continue.
void end_attempt(sqlite::Database& database, const UnfinishedAttempt& attempt, rows::Folded& folded,
                 RecoveryReport& report) {
  const std::set<std::string> open = open_turns(folded.transcript);
  transcript::Ending ending;
  ending.reason = attempt.suspended_at ? transcript::CloseReason::server_shutdown
                                       : transcript::CloseReason::crash_recovered;
  ending.ended_at = std::max({folded.last_at, folded.transcript.latest(), attempt.started_at});
  ending.transcript = transcript::finalise(folded.transcript, ending.ended_at);

  // Does not count turns that the provider had cut short before.
  const auto interrupted = std::count_if(
      ending.transcript.turns.begin(), ending.transcript.turns.end(),
      [&](const transcript::Turn& turn) {
        return turn.status == transcript::TurnStatus::interrupted && open.contains(turn.item_id);
      });
  report.attempts.push_back({attempt.session_id, attempt.number, folded.rows,
                             ending.transcript.turns.size(),
                             static_cast<std::size_t>(interrupted)});
  if (report.dry_run) return;

  // One transaction: a crash in the middle leaves the attempt open and its rows in place.
  sqlite::Transaction transaction(database);
  rows::finalise_attempt(database, attempt.id, ending);
  if (folded.unreadable > 0) set_unreadable_aside(database, attempt);
  transaction.commit();
}

void leave_attempt(sqlite::Database& database, const UnfinishedAttempt& attempt,
                   const rows::Folded& folded, TimeMs now, bool again, RecoveryReport& report) {
  const std::set<std::string> open = open_turns(folded.transcript);
  report.recovering.push_back({attempt.session_id, attempt.number, folded.rows,
                               folded.transcript.turns().size(), open.size()});
  if (report.dry_run) return;

  sqlite::Transaction transaction(database);
  rows::leave_open(database, attempt.id, folded, rows::highest_sequence(database) + 1, now,
                   /*counts=*/!again);
  if (folded.unreadable > 0) set_unreadable_aside(database, attempt);
  transaction.commit();
}

}  // namespace

void require_whole_store(const std::filesystem::path& file,
                         const std::filesystem::path& fallback_dir) {
  if (!fallback_dir.empty()) {
    journal::require_segment_of_log(fallback_dir);
    sqlite::require_header_of_log(journal::segment_in(fallback_dir));
  }
  sqlite::require_database_of_log(file);
  sqlite::require_header_of_log(file);
}

StoreLogs read_logs(const std::filesystem::path& file, const std::filesystem::path& fallback_dir) {
  StoreLogs logs;
  logs.database = sqlite::read_log(file);
  if (!fallback_dir.empty()) logs.segment = sqlite::read_log(journal::segment_in(fallback_dir));
  return logs;
}

namespace {

void take_segment(sqlite::Database& database, const std::filesystem::path& segment,
                  RecoveryReport& report) {
  const journal::MergedSegment merged = report.dry_run
                                            ? journal::look_through_segment(database, segment)
                                            : journal::merge_segment(database, segment);
  report.segment_events = merged.events;
  report.segment_endings = merged.endings;
}

/// Removes what no attempt needs any more, and marks the database as clean. `needed`: the first
/// journal row that an open attempt needs. If changes are tracked, all rows stay: the journal
/// deletes them once the database elsewhere has them.
void tidy_up(sqlite::Database& database, std::optional<transcript::Sequence> needed, TimeMs now,
             std::int64_t resume_window_ms) {
  sqlite::Transaction removal(database);
  if (!rows::tracks_changes(database))
    rows::delete_events_before(database, needed.value_or(rows::highest_sequence(database) + 1));
  rows::prune_client_tokens(database, now, resume_window_ms);
  removal.commit();
  // Checkpointed here, because closing the connection reports no error.
  database.checkpoint(sqlite::Database::Checkpoint::truncate);
  sqlite::Transaction mark(database);
  rows::set_clean(database, true);
  mark.commit();
  database.remove_log_on_close();
}

/// Recovers a store that is whole. `segment`: the file that continues the database; empty: none.
void recover_sound(sqlite::Database& database, const std::filesystem::path& segment, TimeMs now,
                   const RecoveryOptions& options, RecoveryReport& report) {
  if (!segment.empty()) take_segment(database, segment, report);
  std::vector<UnfinishedAttempt> open = unfinished_attempts(database);
  // Again: the segment may have ended some.
  LeftOpen left = leave_suspended(open, now, window_of(options), report);
  const bool may_wait = options.leaves_recovering && window_of(options) > 0;
  const int most = recoveries_max + (options.again ? 1 : 0);
  for (const UnfinishedAttempt& attempt : open) {
    rows::Folded folded = rows::fold(database, attempt.id, attempt.first_seq);
    report.unreadable_rows += folded.unreadable;
    if (may_wait && !attempt.suspended_at && attempt.recoveries < most &&
        !folded.settings_json.empty()) {
      leave_attempt(database, attempt, folded, now, options.again, report);
      left.add(attempt, report);
    } else {
      end_attempt(database, attempt, folded, report);
    }
  }
  if (!report.dry_run) tidy_up(database, left.needed, now, options.resume_window_ms);
}

/// The segment that continues the database; empty if there is none. Throws if there is one and no
/// database.
std::filesystem::path segment_of(const std::filesystem::path& file,
                                 const std::filesystem::path& fallback_dir, bool dry_run) {
  if (fallback_dir.empty()) return {};
  if (!dry_run) journal::remove_merged_segment(fallback_dir);
  const std::filesystem::path segment = journal::segment_in(fallback_dir);
  if (!std::filesystem::exists(segment)) return {};
  if (std::filesystem::exists(file)) return segment;
  throw store::StorageError(
      store::Failure::not_found,
      file.string() + ": is not there, but " + segment.string() +
          " continues it; put the database or a backup of it back, or move the "
          "segment away to start with an empty store");
}

}  // namespace

RecoveryReport recover(const std::filesystem::path& file, TimeMs now, bool dry_run,
                       const std::filesystem::path& fallback_dir, const RecoveryOptions& options) {
  RecoveryReport report;
  report.dry_run = dry_run;
  if (!options.logs) require_whole_store(file, fallback_dir);
  const StoreLogs logs = options.logs ? *options.logs : read_logs(file, fallback_dir);
  const std::filesystem::path segment = segment_of(file, fallback_dir, dry_run);
  if (!std::filesystem::exists(file)) return report;
  const bool rotated = !segment.empty();

  const Inspection before = inspect(file, logs.database, rotated, report);
  report.integrity = before.integrity;
  const bool sound = before.integrity.empty() || before.integrity == "ok";
  if (!sound && dry_run) {
    report.clean = false;
    return report;
  }
  refuse_damaged(file, before.integrity);
  if (rotated) refuse_damaged(segment, inspect(segment, logs.segment, true, report).integrity);

  sqlite::Database database(
      file, {.access = dry_run ? sqlite::Access::look : sqlite::Access::read_write});
  if (dry_run) sqlite::require_current_schema(database, database.schema_found());
  std::vector<UnfinishedAttempt> open = unfinished_attempts(database);
  leave_suspended(open, now, window_of(options), report);
  report.clean = before.clean && open.empty() && !rotated;
  if (report.clean) {
    if (!dry_run) database.remove_log_on_close();
    return report;
  }
  if (report.integrity.empty()) report.integrity = check_pages(database, false);
  if (report.integrity != "ok" && dry_run) return report;
  refuse_damaged(file, report.integrity);

  recover_sound(database, segment, now, options, report);
  return report;
}

}  // namespace verbatim::maintenance
