#include "storage/rows/change_tracking.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "base/crypto.hpp"
#include "storage/rows/row_writer.hpp"
#include "storage/sqlite/database.hpp"

namespace verbatim::rows {
namespace {

/// Rows that one step marks: other jobs of the journal wait for it.
constexpr std::int64_t stored_rows_marked = 500;
/// Number of runs whose first sequence number is kept.
constexpr std::int64_t runs_kept = 1000;
/// Erasures that are remembered after they were sent: a database elsewhere that was restored to an
/// earlier state must erase them again.
constexpr std::int64_t erasures_kept = 10'000;

constexpr const char* on_conflict =
    " ON CONFLICT (kind, key) DO UPDATE SET seq = iif(excluded.seq = 0, -abs(seq), excluded.seq) "
    "WHERE seq <> excluded.seq";

/// A statement that notes a change. `key` is an expression.
std::string note(ChangeKind kind, const std::string& key) {
  return "INSERT INTO dirty VALUES (" + std::to_string(static_cast<int>(kind)) + ", " + key +
         ", change_number())" + on_conflict + "; ";
}
std::string forget(ChangeKind kind, const std::string& key) {
  return "DELETE FROM dirty WHERE kind = " + std::to_string(static_cast<int>(kind)) +
         " AND key = " + key + "; ";
}

struct Trigger {
  std::string name;
  std::string on;
  std::string does;
  std::string sql() const {
    return "CREATE TRIGGER " + name + " AFTER " + on + " BEGIN " + does + "END";
  }
};

/// For INSERT and UPDATE, whose new row is the same.
void add_both(std::vector<Trigger>& triggers, const std::string& table, const std::string& does) {
  triggers.push_back({"track_new_" + table, "INSERT ON " + table, does});
  triggers.push_back({"track_changed_" + table, "UPDATE ON " + table, does});
}
void add_gone(std::vector<Trigger>& triggers, const std::string& table, const std::string& does) {
  triggers.push_back({"track_gone_" + table, "DELETE ON " + table, does});
}

std::vector<Trigger> make_triggers() {
  using enum ChangeKind;
  std::vector<Trigger> triggers;
  add_both(triggers, "session", note(session, "new.id"));
  add_gone(triggers, "session",
           forget(session, "old.id") + note(erased, "old.public_id") +
               "UPDATE shipping SET erasures = erasures + 1; ");
  triggers.push_back({"track_new_token_use", "INSERT ON token_use", note(session, "new.session")});
  add_gone(triggers, "token_use", note(session, "old.session"));

  // Not `changed`, `to_merge`, `first_seq` and `recoveries`, which concern only this store.
  triggers.push_back({"track_new_attempt", "INSERT ON attempt", note(attempt, "new.id")});
  triggers.push_back(
      {"track_changed_attempt",
       "UPDATE OF session, number, status, started_at, ended_at, close_reason, model, complete, "
       "gaps, usage, suspended_at, settings, copies, copy_turns, copy_bytes, merged_turns, "
       "merged_complete ON attempt",
       note(attempt, "new.id")});
  triggers.push_back({"track_ended_attempt",
                      "UPDATE OF ended_at ON attempt "
                      "WHEN old.ended_at IS NULL AND new.ended_at IS NOT NULL",
                      note(record, "new.id")});
  add_gone(triggers, "attempt", forget(attempt, "old.id") + forget(record, "old.id"));

  // At the end of an attempt its record is noted once, not each turn.
  add_both(triggers, "turn",
           std::string("INSERT INTO dirty SELECT iif(ended_at IS NULL, 4, 3), "
                       "iif(ended_at IS NULL, new.id, new.attempt), change_number() FROM attempt "
                       "WHERE id = new.attempt") +
               on_conflict + "; ");
  add_gone(triggers, "turn", forget(turn, "old.id"));
  triggers.push_back({"track_new_tool_call", "INSERT ON tool_call", note(record, "new.attempt")});
  triggers.push_back({"track_new_copy", "INSERT ON copy", note(copy, "new.id")});
  add_gone(triggers, "copy", forget(copy, "old.id"));

  add_both(triggers, "message", note(message, "new.public_id"));
  add_gone(triggers, "message", note(message, "old.public_id"));
  const auto of_message = [](const std::string& row) {
    return "INSERT INTO dirty SELECT 6, public_id, change_number() FROM message WHERE id = " + row +
           ".message" + on_conflict + "; ";
  };
  add_both(triggers, "delivery", of_message("new"));
  add_gone(triggers, "delivery", of_message("old"));
  add_both(triggers, "client_secret", note(token, "new.id"));
  add_gone(triggers, "client_secret", note(token, "old.id"));
  return triggers;
}

/// Replaces the triggers: an earlier version of the program may have made others.
void replace_triggers(sqlite::Database& database, const std::vector<Trigger>& triggers) {
  std::vector<std::string> names;
  std::vector<std::string> texts;
  {
    sqlite::Query rows = database.query(
        "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name GLOB 'track_*'");
    while (rows.step()) {
      names.push_back(rows.text(0));
      texts.push_back(rows.text(1));
    }
  }
  const auto there = [&](const Trigger& one) {
    return std::find(texts.begin(), texts.end(), one.sql()) != texts.end();
  };
  if (names.size() == triggers.size() && std::all_of(triggers.begin(), triggers.end(), there))
    return;
  for (const std::string& name : names) database.run("DROP TRIGGER " + name);
  for (const Trigger& one : triggers) database.run(one.sql());
}

/// The tables whose rows are marked as changed, in this order; a row's number in `shipping.stage`.
/// Each statement marks the rows of one table from ?1 to ?2. Of ended attempts it marks the records
/// too, and the turns of others.
struct Stage {
  const char* table;
  std::vector<const char*> marks;
};
const std::array<Stage, 5>& stages() {
  static const std::array<Stage, 5> all = {{
      {"session", {"SELECT 1, id, change_number() FROM session WHERE id BETWEEN ?1 AND ?2"}},
      {"attempt",
       {"SELECT 2, id, change_number() FROM attempt WHERE id BETWEEN ?1 AND ?2",
        "SELECT 3, id, change_number() FROM attempt WHERE id BETWEEN ?1 AND ?2 "
        "AND ended_at IS NOT NULL",
        "SELECT 4, turn.id, change_number() FROM attempt JOIN turn ON turn.attempt = attempt.id "
        "WHERE attempt.id BETWEEN ?1 AND ?2 AND attempt.ended_at IS NULL"}},
      {"copy", {"SELECT 5, id, change_number() FROM copy WHERE id BETWEEN ?1 AND ?2"}},
      {"message", {"SELECT 6, public_id, change_number() FROM message WHERE id BETWEEN ?1 AND ?2"}},
      {"client_secret",
       {"SELECT 7, id, change_number() FROM client_secret WHERE rowid BETWEEN ?1 AND ?2"}},
  }};
  return all;
}

void mark_from_the_start(sqlite::Database& database) {
  database.query("UPDATE shipping SET stage = 0, reached = 0").run();
}

/// Marks the next rows of a table. False if it has no more.
bool mark_stored_of(sqlite::Database& database, const Stage& stage, std::int64_t reached) {
  std::int64_t last = 0;
  {
    sqlite::Query rows = database.query(std::string("SELECT max(rowid) FROM (SELECT rowid FROM ") +
                                        stage.table + " WHERE rowid > ? ORDER BY rowid LIMIT ?)");
    rows.bind(reached, stored_rows_marked);
    if (!rows.step() || rows.is_null(0)) return false;
    last = rows.integer(0);
  }
  for (const char* const mark : stage.marks)
    database.query(std::string("INSERT INTO dirty ") + mark + on_conflict)
        .bind(reached + 1, last)
        .run();
  database.query("UPDATE shipping SET reached = ?").bind(last).run();
  return true;
}

void mark_stored(sqlite::Database& database) {
  std::size_t stage = 0;
  std::int64_t reached = 0;
  {
    sqlite::Query row = database.query("SELECT stage, reached FROM shipping");
    if (!row.step()) return;
    stage = static_cast<std::size_t>(row.integer(0));
    reached = row.integer(1);
  }
  for (; stage < stages().size(); ++stage, reached = 0) {
    if (mark_stored_of(database, stages()[stage], reached)) return;
    database.query("UPDATE shipping SET stage = ?, reached = 0")
        .bind(static_cast<std::int64_t>(stage + 1))
        .run();
  }
}

void number_unnumbered(sqlite::Database& database) {
  database.query("UPDATE dirty SET seq = change_number() WHERE seq <= 0").run();
}

/// A random UUID (RFC 9562, version 4).
std::string new_uuid() {
  std::string bytes = random_bytes(16);
  bytes[6] = static_cast<char>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);
  std::string text = to_hex(bytes);
  for (const std::size_t at : {8U, 13U, 18U, 23U}) text.insert(at, 1, '-');
  return text;
}

void begin_run(sqlite::Database& database) {
  database.query("INSERT INTO run (id, first_seq) VALUES (?, ?)")
      .bind(new_uuid(), highest_sequence(database) + 1)
      .run();
  database.query("DELETE FROM run WHERE number <= (SELECT max(number) FROM run) - ?")
      .bind(runs_kept)
      .run();
}

}  // namespace

void track_changes(sqlite::Database& database) {
  replace_triggers(database, make_triggers());
  if (!tracks_changes(database)) {
    const auto highest_now = highest_sequence(database);
    database
        .query(
            "INSERT INTO shipping (shipped, pruned, erasures, stage, reached) "
            "VALUES (0, ?, 0, 0, 0)")
        .bind(highest_now)
        .run();
  }
  begin_run(database);
  database.number_changes(highest_sequence(database) + 1);
  number_and_mark(database);
  database.number_changes(0);
}

void forget_changes(sqlite::Database& database) {
  if (!tracks_changes(database)) return;
  remember_highest(database);
  for (const Trigger& one : make_triggers()) database.run("DROP TRIGGER IF EXISTS " + one.name);
  // The runs stay: the numbers go on from here if changes are tracked again.
  database.query("DELETE FROM dirty").run();
  database.query("DELETE FROM shipping").run();
}

bool tracks_changes(sqlite::Database& database) { return shipping_state(database).has_value(); }

bool needs_numbers(sqlite::Database& database) {
  sqlite::Query row = database.query(
      "SELECT stage < ? OR EXISTS (SELECT 1 FROM dirty WHERE seq <= 0) FROM shipping");
  return row.bind(static_cast<std::int64_t>(stages().size())).step() && row.integer(0) != 0;
}

void number_and_mark(sqlite::Database& database) {
  number_unnumbered(database);
  mark_stored(database);
}

store::StreamIdentity stream_identity(sqlite::Database& database) {
  sqlite::Query row = database.query(
      "SELECT node_id, coalesce((SELECT id FROM run ORDER BY number DESC LIMIT 1), '') FROM meta");
  if (!row.step()) return {};
  return {row.text(0), row.text(1)};
}

store::StreamIdentity renew_identity(sqlite::Database& database) {
  database.query("UPDATE meta SET node_id = ?").bind(new_uuid()).run();
  database.query("DELETE FROM run WHERE number < (SELECT max(number) FROM run)").run();
  return stream_identity(database);
}

bool is_continued(sqlite::Database& database, const std::string& run, transcript::Sequence upto) {
  sqlite::Query row = database.query(
      "SELECT (SELECT min(first_seq) FROM run AS later WHERE later.number > run.number) "
      "FROM run WHERE id = ?");
  if (!row.bind(run).step()) return run.empty() && upto == 0;
  return row.is_null(0) || upto < static_cast<transcript::Sequence>(row.integer(0));
}

std::optional<ShippingState> shipping_state(sqlite::Database& database) {
  sqlite::Query row =
      database.query("SELECT shipped, pruned, erasures, stage, reached FROM shipping");
  if (!row.step()) return std::nullopt;
  ShippingState state{static_cast<transcript::Sequence>(row.integer(0)),
                      static_cast<transcript::Sequence>(row.integer(1)), row.integer(2)};
  const std::int64_t stage = row.integer(3);
  if (stage == 0) state.sessions_marked = row.integer(4);
  if (stage <= 1) state.attempts_marked = stage == 0 ? 0 : row.integer(4);
  return state;
}

void note_shipped(sqlite::Database& database, transcript::Sequence upto) {
  database.query("UPDATE shipping SET shipped = ?1 WHERE shipped < ?1").bind(upto).run();
}

bool resume_shipping(sqlite::Database& database, transcript::Sequence upto) {
  const auto state = shipping_state(database);
  if (!state) return false;
  if (upto > highest_sequence(database))
    throw store::StorageError(store::Failure::other,
                              database.file().string() + ": number " + std::to_string(upto) +
                                  " was sent to the database elsewhere and is not in this store; "
                                  "it needs a new node_id");
  database.query("UPDATE shipping SET shipped = ?").bind(upto).run();
  if (upto >= state->pruned) return false;
  // From here on, all that was forgotten is marked again, so nothing after `upto` is missing.
  database.query("UPDATE shipping SET pruned = ?").bind(upto).run();
  mark_from_the_start(database);
  return true;
}

std::int64_t forget_shipped(sqlite::Database& database, transcript::Sequence upto,
                            std::int64_t limit) {
  std::int64_t end = 0;
  {
    sqlite::Query rows = database.query(
        "SELECT coalesce(max(seq), 0) FROM (SELECT seq FROM dirty WHERE seq > 0 AND seq <= ? "
        "AND kind <> 0 ORDER BY seq LIMIT ?)");
    rows.bind(upto, limit);
    if (rows.step()) end = rows.integer(0);
  }
  std::int64_t forgotten = 0;
  if (end > 0) {
    remember_highest(database);
    database.query("DELETE FROM dirty WHERE seq > 0 AND seq <= ? AND kind <> 0").bind(end).run();
    forgotten = database.changes();
  }
  database
      .query(
          "DELETE FROM dirty WHERE kind = 0 AND seq > 0 AND seq <= min(?1, (SELECT seq FROM dirty "
          "WHERE kind = 0 ORDER BY seq DESC LIMIT 1 OFFSET ?2))")
      .bind(upto, erasures_kept)
      .run();
  note_pruned(database, upto);
  return forgotten;
}

void note_pruned(sqlite::Database& database, transcript::Sequence upto) {
  database.query("UPDATE shipping SET pruned = ?1 WHERE pruned < ?1").bind(upto).run();
}

}  // namespace verbatim::rows
