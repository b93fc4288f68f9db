#include "storage/journal/segment.hpp"

#include "storage/rows/copies.hpp"
#include "storage/rows/row_writer.hpp"
#include "storage/rows/webhook_outbox.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/files.hpp"
#include "storage/sqlite/store_files.hpp"

namespace verbatim::journal {
namespace {

namespace fs = std::filesystem;

constexpr const char* lost_relations = R"sql(
SELECT (SELECT count(*) FROM segment.attempt AS theirs
        JOIN segment.session AS their_session ON their_session.id = theirs.session
        WHERE NOT EXISTS (SELECT 1 FROM main.attempt AS ours
                          JOIN main.session AS our_session ON our_session.id = ours.session
                          WHERE ours.id = theirs.id AND ours.number = theirs.number
                            AND our_session.public_id = their_session.public_id))
     + (SELECT count(*) FROM segment.journal AS theirs JOIN main.journal AS ours USING (seq)
        WHERE ours.attempt <> theirs.attempt OR ours.body <> theirs.body)
)sql";

constexpr const char* merge_turns = R"sql(
INSERT INTO main.turn (attempt, item_id, ordinal, role, status, text, heard_ms, heard_text, reason,
                       deleted, response_id, started_at, ended_at, audio_ms, writers)
SELECT attempt, item_id, ordinal, role, status, text, heard_ms, heard_text, reason,
       deleted, response_id, started_at, ended_at, audio_ms, writers FROM segment.turn WHERE true
ON CONFLICT (attempt, item_id) DO UPDATE SET
  ordinal = CASE WHEN excluded.ordinal > 0 THEN excluded.ordinal ELSE ordinal END,
  role = excluded.role, status = excluded.status, text = excluded.text,
  heard_ms = excluded.heard_ms, heard_text = excluded.heard_text, reason = excluded.reason,
  deleted = excluded.deleted, response_id = excluded.response_id,
  started_at = excluded.started_at, ended_at = excluded.ended_at, audio_ms = excluded.audio_ms
)sql";

/// Tool calls are written at an attempt's end, which is in only one of the two files.
constexpr const char* merge_tool_calls = R"sql(
INSERT OR IGNORE INTO main.tool_call (attempt, number, after, item_id, call_id, kind, status, name,
                                      server, arguments, output, error, approval, deleted,
                                      response_id, started_at, ended_at)
SELECT attempt, number, after, item_id, call_id, kind, status, name, server, arguments, output,
       error, approval, deleted, response_id, started_at, ended_at FROM segment.tool_call
)sql";

constexpr const char* merge_audio_runs = R"sql(
INSERT OR REPLACE INTO main.audio_run (attempt, track, item_id, begins, bytes, at_ms, encoding, rate)
SELECT attempt, track, item_id, begins, bytes, at_ms, encoding, rate FROM segment.audio_run
)sql";

constexpr const char* merge_endings = R"sql(
UPDATE main.attempt SET
  status = theirs.status, ended_at = theirs.ended_at, close_reason = theirs.close_reason,
  complete = theirs.complete, gaps = theirs.gaps, usage = theirs.usage
FROM segment.attempt AS theirs
WHERE theirs.id = main.attempt.id AND theirs.ended_at IS NOT NULL
)sql";

/// Several attempts may have the same number of change.
constexpr const char* merge_changes = R"sql(
UPDATE main.attempt SET changed = (SELECT last_change FROM main.meta)
WHERE id IN (SELECT id FROM segment.attempt WHERE ended_at IS NOT NULL)
)sql";

constexpr const char* merge_sequence =
    "UPDATE main.meta SET last_seq = max(last_seq, (SELECT last_seq FROM segment.meta), "
    "(SELECT coalesce(max(seq), 0) FROM segment.journal))";

/// Statements without a schema name find these temporary views first.
constexpr const char* merged_views = R"sql(
CREATE TEMP VIEW journal AS
  SELECT seq, attempt, at, body FROM main.journal
  UNION SELECT seq, attempt, at, body FROM segment.journal;
CREATE TEMP VIEW attempt AS
  SELECT * FROM main.attempt
  WHERE id NOT IN (SELECT id FROM segment.attempt WHERE ended_at IS NOT NULL);
)sql";

fs::path beside_segment(const fs::path& file, const char* suffix) { return file.string() + suffix; }

void remove_part(const fs::path& part) {
  std::error_code ec;
  fs::remove(part, ec);
  if (ec)
    throw store::StorageError(store::Failure::read_only,
                              part.string() + ": it is merged but cannot be removed (" +
                                  ec.message() + "); remove it by hand");
}

/// The name of a merged segment while its parts are removed. If the segment is missing and this
/// name does not exist, the files beside it were not merged.
fs::path merged_name(const fs::path& segment) { return beside_segment(segment, ".merged"); }

/// The segment is renamed first, and the rename is synced: without its name the other parts mean
/// nothing. A segment that lost its WAL, or came back after a power cut, would look like a complete
/// older state.
void remove_parts(const fs::path& segment) {
  remove_part(beside_segment(segment, "-wal"));
  remove_part(beside_segment(segment, "-shm"));
  sqlite::sync_folder_of(segment);
  remove_part(merged_name(segment));
}

void remove_segment(const fs::path& file) {
  std::error_code ec;
  fs::rename(file, merged_name(file), ec);
  if (ec)
    throw store::StorageError(store::Failure::read_only,
                              file.string() + ": it is merged but cannot be removed (" +
                                  ec.message() + "); remove it by hand");
  sqlite::sync_folder_of(file);
  remove_parts(file);
}

/// Attaches the segment, and detaches it in the destructor.
class Attached {
 public:
  Attached(sqlite::Database& database, const fs::path& file) : database_(database) {
    database_.query("ATTACH DATABASE ? AS segment").bind(file.string()).run();
  }
  ~Attached() {
    try {
      database_.run("DETACH DATABASE segment");
    } catch (const store::StorageError&) {
      // The error that led here is being thrown already and says more.
    }
  }
  Attached(const Attached&) = delete;
  Attached& operator=(const Attached&) = delete;

 private:
  sqlite::Database& database_;
};

std::size_t count(sqlite::Database& database, const char* sql) {
  sqlite::Query read = database.query(sql);
  return read.step() ? static_cast<std::size_t>(read.integer(0)) : 0;
}

MergedSegment look_at_segment(const fs::path& file) {
  sqlite::Database segment(file, {.access = sqlite::Access::look});
  if (segment.schema_found() == 0) return {};
  return {count(segment, "SELECT count(*) FROM journal"),
          count(segment, "SELECT count(*) FROM attempt WHERE ended_at IS NOT NULL")};
}

struct CompletedTurn {
  transcript::AttemptId attempt = 0;
  std::string item_id;
  TimeMs ended_at = 0;
};

/// The turns that the segment completes. Call it before the turns are merged.
std::vector<CompletedTurn> newly_completed(sqlite::Database& database) {
  std::vector<CompletedTurn> turns;
  sqlite::Query rows = database.query(
      "SELECT attempt, item_id, coalesce(ended_at, 0) FROM segment.turn AS theirs WHERE status = "
      "?1 "
      "AND NOT EXISTS (SELECT 1 FROM main.turn AS ours WHERE ours.attempt = theirs.attempt "
      "AND ours.item_id = theirs.item_id AND ours.status = ?1) ORDER BY theirs.id");
  rows.bind(static_cast<int>(transcript::TurnStatus::completed));
  while (rows.step()) turns.push_back({rows.integer(0), rows.text(1), rows.integer(2)});
  return turns;
}

/// The other effects of an attempt's end: the segment has neither copies nor messages.
void follow_endings(sqlite::Database& database) {
  std::vector<std::pair<transcript::AttemptId, TimeMs>> ended;
  {
    sqlite::Query rows =
        database.query("SELECT id, ended_at FROM segment.attempt WHERE ended_at IS NOT NULL");
    while (rows.step()) ended.emplace_back(rows.integer(0), rows.integer(1));
  }
  for (const auto& [attempt, at] : ended) {
    rows::mark_to_merge(database, attempt);
    rows::announce(database, store::WebhookKind::session_ended, attempt, at);
  }
}

void refuse_strangers(sqlite::Database& database, const fs::path& file) {
  if (count(database, lost_relations) == 0) return;
  throw store::StorageError(store::Failure::other,
                            file.string() + ": does not belong to " + database.file().string() +
                                "; nothing was changed; use the database and the segment that were "
                                "in use together, or move the segment away to start without it");
}

}  // namespace

fs::path segment_in(const fs::path& fallback_dir) { return fallback_dir / "verbatim-segment.db"; }

void require_segment_of_log(const fs::path& fallback_dir) {
  const fs::path segment = segment_in(fallback_dir);
  // In this order: a running server may remove the parts in between.
  if (!fs::exists(segment) && fs::exists(merged_name(segment))) return;
  sqlite::require_database_of_log(segment);
}

void remove_merged_segment(const fs::path& fallback_dir) {
  const fs::path segment = segment_in(fallback_dir);
  if (!fs::exists(merged_name(segment))) return;
  if (fs::exists(segment)) {
    remove_part(merged_name(segment));  // left by an earlier segment
  } else {
    remove_parts(segment);
  }
}

LiveAttempts live_attempts(sqlite::Database& database) {
  LiveAttempts live;
  sqlite::Query open = database.query(
      "SELECT attempt.id, number, first_seq, public_id, user, metadata, model, started_at "
      "FROM attempt JOIN session ON session.id = attempt.session "
      "WHERE ended_at IS NULL AND status <> 0");
  while (open.step()) {
    LiveAttempt one;
    one.number = static_cast<int>(open.integer(1));
    one.first_seq = static_cast<transcript::Sequence>(open.integer(2));
    one.spec = {.session_id = open.text(3),
                .user = open.text(4),
                .metadata = open.text(5),
                .model = open.text(6),
                .now = open.integer(7)};
    live.emplace(open.integer(0), std::move(one));
  }
  return live;
}

std::unique_ptr<sqlite::Database> begin_segment(const fs::path& file, sqlite::Durability durability,
                                                const LiveAttempts& live) {
  if (fs::exists(file))
    throw store::StorageError(
        store::Failure::other,
        file.string() + ": a segment exists already; the next start merges it");
  require_segment_of_log(file.parent_path());
  remove_merged_segment(file.parent_path());
  fs::remove(sqlite::index_of(file));
  auto segment = std::make_unique<sqlite::Database>(
      file, sqlite::Database::Options{.access = sqlite::Access::create, .durability = durability});
  sqlite::Transaction transaction(*segment);
  for (const auto& [id, attempt] : live) {
    segment
        ->query(
            "INSERT OR IGNORE INTO session (public_id, user, metadata, created_at) "
            "VALUES (?, ?, ?, ?)")
        .bind(attempt.spec.session_id, attempt.spec.user, attempt.spec.metadata, attempt.spec.now)
        .run();
    segment
        ->query(
            "INSERT INTO attempt (id, session, number, status, started_at, model, first_seq) "
            "VALUES (?, (SELECT id FROM session WHERE public_id = ?), ?, ?, ?, ?, ?)")
        .bind(id, attempt.spec.session_id, attempt.number,
              static_cast<int>(transcript::SessionStatus::live), attempt.spec.now,
              attempt.spec.model, attempt.first_seq)
        .run();
  }
  rows::set_clean(*segment, false);
  transaction.commit();
  return segment;
}

MergedSegment look_through_segment(sqlite::Database& database, const fs::path& file) {
  const sqlite::Database segment(file, {.access = sqlite::Access::look});
  if (segment.schema_found() == 0) return {};  // a crash happened while it was made
  const MergedSegment merged = look_at_segment(file);
  const std::string name = sqlite::name_to_look(file);
  database.query("ATTACH DATABASE ? AS segment").bind(name).run();
  refuse_strangers(database, file);
  database.run(merged_views);
  return merged;
}

MergedSegment merge_segment(sqlite::Database& database, const fs::path& file) {
  // A crash may have happened before the file had all its tables: opening it makes them.
  { const sqlite::Database whole(file, {.access = sqlite::Access::read_write}); }
  const MergedSegment merged = look_at_segment(file);
  {
    const Attached attached(database, file);
    sqlite::Transaction transaction(database);
    refuse_strangers(database, file);
    database.query("INSERT OR IGNORE INTO main.journal SELECT * FROM segment.journal").run();
    const auto completed = newly_completed(database);
    database.query(merge_turns).run();
    database.query(merge_tool_calls).run();
    database.query(merge_audio_runs).run();
    database.query(merge_endings).run();
    database.query("UPDATE main.meta SET last_change = last_change + 1").run();
    database.query(merge_changes).run();
    database.query(merge_sequence).run();
    for (const CompletedTurn& turn : completed)
      rows::announce(database, store::WebhookKind::turn_completed, turn.attempt, turn.ended_at,
                     turn.item_id);
    follow_endings(database);
    transaction.commit();
  }
  remove_segment(file);
  return merged;
}

}  // namespace verbatim::journal
