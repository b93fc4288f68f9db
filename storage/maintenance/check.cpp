#include "storage/maintenance/check.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "session/transcript/close_reason.hpp"
#include "storage/rows/event_codec.hpp"
#include "storage/rows/row_writer.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/schema.hpp"
#include "storage/sqlite/store_files.hpp"

namespace verbatim::maintenance {
namespace {

/// A query that counts the rows that break a rule, and names the first of them.
struct Rule {
  const char* what;
  const char* sql;
  std::optional<std::size_t> bound = std::nullopt;  ///< of the parameter, where there is one
};
constexpr Rule rules[] = {
    {"attempts without a session",
     "SELECT count(*), 'attempt ' || min(id) FROM attempt "
     "WHERE session NOT IN (SELECT id FROM session)"},
    {"turns without an attempt",
     "SELECT count(*), 'turn ' || min(id) FROM turn WHERE attempt NOT IN (SELECT id FROM attempt)"},
    {"tool calls without an attempt",
     "SELECT count(*), 'tool call ' || min(id) FROM tool_call "
     "WHERE attempt NOT IN (SELECT id FROM attempt)"},
    {"recorded audio without an attempt",
     "SELECT count(*), 'attempt ' || min(attempt) FROM audio_run "
     "WHERE attempt NOT IN (SELECT id FROM attempt)"},
    {"tries of a repair without an attempt",
     "SELECT count(*), 'attempt ' || min(attempt) FROM repair "
     "WHERE attempt NOT IN (SELECT id FROM attempt)"},
    {"journal rows without an attempt",
     "SELECT count(*), 'row ' || min(seq) FROM journal "
     "WHERE attempt NOT IN (SELECT id FROM attempt)"},
    {"journal rows before the first of their attempt",
     "SELECT count(*), 'row ' || min(seq) FROM journal JOIN attempt ON attempt.id = attempt "
     "WHERE seq < first_seq AND ended_at IS NULL"},
    {"attempts whose status and end contradict each other",
     "SELECT count(*), 'attempt ' || min(id) FROM attempt WHERE status NOT BETWEEN 0 AND 4 "
     "OR (status = 3) <> (ended_at IS NOT NULL) OR (status = 3) <> (close_reason IS NOT NULL) "
     "OR close_reason NOT BETWEEN 1 AND ?",
     transcript::close_reason_count},
    {"turns still open in an attempt that has ended",
     "SELECT count(*), 'turn ' || min(turn.id) FROM turn JOIN attempt ON attempt.id = attempt "
     "WHERE attempt.ended_at IS NOT NULL AND turn.status = 0"},
    {"attempts that have ended and whose turns are not numbered 1, 2, 3 ...",
     "SELECT count(*), 'attempt ' || min(id) FROM (SELECT attempt.id FROM turn "
     "JOIN attempt ON attempt.id = attempt WHERE attempt.ended_at IS NOT NULL GROUP BY attempt.id "
     "HAVING min(ordinal) <> 1 OR max(ordinal) <> count(*) OR count(DISTINCT ordinal) <> "
     "count(*))"},
    {"turns with a role or a status that does not exist",
     "SELECT count(*), 'turn ' || min(id) FROM turn "
     "WHERE role NOT BETWEEN 0 AND 3 OR status NOT BETWEEN 0 AND 5"},
    {"values that are not JSON",
     "SELECT count(*), min(place) FROM (SELECT 'session ' || id AS place FROM session "
     "WHERE NOT json_valid(metadata) UNION ALL SELECT 'attempt ' || id FROM attempt "
     "WHERE NOT json_valid(gaps) OR NOT json_valid(usage) UNION ALL SELECT 'turn ' || id FROM turn "
     "WHERE NOT json_valid(writers) UNION ALL SELECT 'tool call ' || id FROM tool_call "
     "WHERE approval IS NOT NULL AND NOT json_valid(approval))"},
    {"closed in order, with attempts open",
     "SELECT count(*), 'attempt ' || min(id) FROM attempt "
     "WHERE ended_at IS NULL AND status <> 0 AND suspended_at IS NULL "
     "AND (SELECT clean FROM meta)"},
    {"tracked changes of a store that tracks none",
     "SELECT count(*), 'kind ' || min(kind) FROM dirty "
     "WHERE NOT EXISTS (SELECT 1 FROM shipping)"},
    {"tracked changes of rows that do not exist",
     "SELECT count(*), min('kind ' || kind || ', key ' || key) FROM dirty "
     "WHERE kind NOT BETWEEN 0 AND 7 OR (kind = 1 AND key NOT IN (SELECT id FROM session)) "
     "OR (kind IN (2, 3) AND key NOT IN (SELECT id FROM attempt)) "
     "OR (kind = 4 AND key NOT IN (SELECT id FROM turn)) "
     "OR (kind = 5 AND key NOT IN (SELECT id FROM copy))"},
    {"more than one row in shipping",
     "SELECT max(count(*) - 1, 0), 'shipped ' || max(shipped) FROM shipping"},
    {"missing or additional rows in meta",
     "SELECT abs(count(*) - 1), 'the last sequence was ' || max(last_seq) FROM meta"},
};

Finding undecodable_rows(sqlite::Database& database) {
  Finding finding{"journal rows that cannot be decoded", 0, {}};
  sqlite::Query rows = database.query("SELECT seq, body FROM journal ORDER BY seq");
  while (rows.step()) {
    if (rows::decode_event(rows.blob(1))) continue;
    if (finding.count++ == 0) finding.first = "row " + std::to_string(rows.integer(0));
  }
  return finding;
}

}  // namespace

StoreCounts count_rows(sqlite::Database& database) {
  sqlite::Query row = database.query(
      "SELECT (SELECT count(*) FROM session), (SELECT count(*) FROM attempt), "
      "(SELECT count(*) FROM attempt WHERE ended_at IS NULL), (SELECT count(*) FROM turn), "
      "(SELECT count(*) FROM journal), (SELECT count(*) FROM unreadable)");
  row.step();
  const auto count = [&](int column) { return static_cast<std::size_t>(row.integer(column)); };
  return {count(0), count(1), count(2), count(3), count(4), count(5)};
}

std::string integrity_of(sqlite::Database& database) {
  std::string said;
  try {
    sqlite::Query check = database.query("PRAGMA integrity_check(20)");
    while (check.step()) said += (said.empty() ? "" : "\n") + check.text(0);
  } catch (const store::StorageError& error) {
    if (error.failure() != store::Failure::corrupt) throw;
    said = error.what();
  }
  return said;
}

StoreCheck check_store(sqlite::Database& database) {
  const sqlite::Savepoint snapshot(database);
  StoreCheck check;
  check.integrity = integrity_of(database);
  if (check.integrity != "ok") return check;
  check.clean = rows::is_clean(database);
  check.counts = count_rows(database);
  const auto keep = [&](Finding finding) {
    if (finding.count > 0) check.findings.push_back(std::move(finding));
  };
  for (const Rule& rule : rules) {
    sqlite::Query found = database.query(rule.sql);
    if (rule.bound) found.bind(static_cast<std::int64_t>(*rule.bound));
    if (found.step()) keep({rule.what, static_cast<std::size_t>(found.integer(0)), found.text(1)});
  }
  keep(undecodable_rows(database));
  return check;
}

StoreCheck check_file(const std::filesystem::path& file, bool served) try {
  const std::optional<sqlite::LogReport> its_log =
      served ? std::nullopt : std::optional(sqlite::read_log(file));  // before the file is opened
  sqlite::Database database(file,
                            {.access = served ? sqlite::Access::read_only : sqlite::Access::look});
  sqlite::require_current_schema(database, database.schema_found());
  StoreCheck check = check_store(database);
  const bool clean = check.integrity == "ok" && check.clean;
  const auto log = its_log ? sqlite::judge_log(file, *its_log, clean) : std::nullopt;
  if (log) check.logs.push_back(*log);
  return check;
} catch (const store::StorageError& error) {
  // A file too damaged to open is also a finding.
  const bool sqlite_says_so =
      error.failure() == store::Failure::corrupt && error.native_code() != 0;
  if (!sqlite_says_so) throw;
  StoreCheck check;
  check.integrity = error.what();
  return check;
}

bool StoreCheck::sound() const {
  const bool rows_lost =
      std::any_of(logs.begin(), logs.end(), [](const store::LogFinding& log) { return log.lost; });
  return integrity == "ok" && findings.empty() && !rows_lost;
}

void require_own_file(const std::filesystem::path& file) { sqlite::require_own_header(file); }

}  // namespace verbatim::maintenance
