#include "storage/search/search_file.hpp"

#include <algorithm>
#include <set>

#include "storage/search/tokenizer.hpp"
#include "storage/search/words.hpp"
#include "storage/sqlite/schema.hpp"
#include "storage/sqlite/store_files.hpp"

namespace verbatim::search {

namespace {

namespace fs = std::filesystem;

/// "VerS" in the header.
constexpr int search_application_id = 0x56657253;

/// FTS5 deletes lazily, so an erasure rewrites the whole table that held the session: a table for
/// each thousand sessions bounds that work.
constexpr std::int64_t sessions_in_a_shard = 1024;

/// A checkpoint syncs, which delays the journal's syncs on the same disk, so it is not made often.
constexpr std::size_t search_checkpoint_bytes = 4 * 1024 * 1024;
/// The log is emptied above this size.
constexpr std::size_t search_log_bytes_max = 16 * 1024 * 1024;

constexpr const char* search_version_1 = R"sql(
CREATE TABLE meta (store TEXT NOT NULL, up_to INTEGER NOT NULL);
INSERT INTO meta VALUES ('', 0);
CREATE TABLE shard (number INTEGER PRIMARY KEY);
CREATE TABLE indexed (session INTEGER PRIMARY KEY, public_id TEXT NOT NULL);
CREATE INDEX indexed_by_name ON indexed (public_id);
)sql";

/// The tables of version 1 have another tokenizer. An index that is of no store is made again.
constexpr const char* search_version_2 = "UPDATE meta SET store = '', up_to = 0;";

constexpr const char* search_steps[] = {search_version_1, search_version_2};
constexpr sqlite::Schema search_schema{search_application_id, search_steps};

sqlite::Database::Options options_of(sqlite::Access access) {
  sqlite::Database::Options options;
  options.access = access;
  // After a power cut the last batches may be missing; they are indexed again.
  options.durability = sqlite::Durability::process;
  options.schema = &search_schema;
  options.extend = add_tokenizer;
  return options;
}

/// Whether the file is the problem, and not the disk or a lock.
bool is_unusable(store::Failure failure) {
  return failure == store::Failure::corrupt || failure == store::Failure::newer_schema ||
         failure == store::Failure::other;
}

/// Returns the path of a file that can be opened.
const fs::path& usable(const fs::path& file) {
  if (!fs::exists(file)) remove_index(file);  // a log without its file
  try {
    const sqlite::Database probe(file, options_of(sqlite::Access::create));
  } catch (const store::StorageError& error) {
    if (!is_unusable(error.failure())) throw;
    remove_index(file);
  }
  return file;
}

}  // namespace

void remove_index(const fs::path& file) {
  std::error_code ignored;
  fs::remove(sqlite::log_of(file), ignored);
  fs::remove(sqlite::index_of(file), ignored);
  fs::remove(file, ignored);
}

fs::path index_file_of(const fs::path& database) { return database.parent_path() / "search.index"; }

std::int64_t shard_of(std::int64_t session) { return session / sessions_in_a_shard; }

std::string table_of(std::int64_t shard) { return "words_" + std::to_string(shard); }

SearchFile::SearchFile(const fs::path& file)
    : database_(usable(file), options_of(sqlite::Access::create)) {}

SearchFile::Position SearchFile::position() {
  sqlite::Query row = database_.query("SELECT store, up_to FROM meta");
  if (!row.step()) return {};
  return {row.text(0), row.integer(1)};
}

void SearchFile::move_to(const Position& position) {
  database_.query("UPDATE meta SET store = ?, up_to = ?")
      .bind(position.store, position.up_to)
      .run();
}

void SearchFile::clear() {
  std::vector<std::int64_t> shards;
  {
    sqlite::Query rows = database_.query("SELECT number FROM shard");
    while (rows.step()) shards.push_back(rows.integer(0));
  }
  for (const std::int64_t shard : shards) database_.run("DROP TABLE IF EXISTS " + table_of(shard));
  database_.query("DELETE FROM shard").run();
  database_.query("DELETE FROM indexed").run();
}

void SearchFile::require_table(std::int64_t shard) {
  if (database_.query("SELECT 1 FROM shard WHERE number = ?").bind(shard).step()) return;
  database_.run("CREATE VIRTUAL TABLE IF NOT EXISTS " + table_of(shard) +
                " USING fts5(text, attempt UNINDEXED, ordinal UNINDEXED, role UNINDEXED, "
                "columnsize = 0, tokenize = '" +
                std::string(tokenizer) + "')");
  database_.query("INSERT INTO shard VALUES (?)").bind(shard).run();
}

void SearchFile::remove_rows(std::int64_t session) {
  if (!database_.query("SELECT 1 FROM indexed WHERE session = ?").bind(session).step()) return;
  database_.query("DELETE FROM " + table_of(shard_of(session)) + " WHERE rowid >= ? AND rowid < ?")
      .bind(first_row_of(session), first_row_of(session + 1))
      .run();
  database_.query("DELETE FROM indexed WHERE session = ?").bind(session).run();
}

void SearchFile::put(std::int64_t session, const std::string& public_id,
                     const std::vector<IndexedTurn>& turns) {
  const std::int64_t shard = shard_of(session);
  require_table(shard);
  bool reused = false;
  {
    sqlite::Query row = database_.query("SELECT public_id FROM indexed WHERE session = ?");
    // The row id of an erased session may be used again before its words are gone.
    reused = row.bind(session).step() && row.text(0) != public_id;
  }
  if (reused) erase({session});
  remove_rows(session);
  const std::string insert = "INSERT INTO " + table_of(shard) +
                             " (rowid, text, attempt, ordinal, role) VALUES (?, ?, ?, ?, ?)";
  std::int64_t row = first_row_of(session);
  for (const IndexedTurn& turn : turns) {
    if (row == first_row_of(session + 1)) break;
    const std::string text = with_boundaries(turn.text);
    database_.query(insert).bind(row, text, turn.attempt, turn.ordinal, turn.role).run();
    ++row;
  }
  database_.query("INSERT INTO indexed VALUES (?, ?)").bind(session, public_id).run();
}

void SearchFile::erase(const std::vector<std::int64_t>& sessions) {
  std::set<std::int64_t> touched;
  for (const std::int64_t session : sessions) {
    if (!database_.query("SELECT 1 FROM indexed WHERE session = ?").bind(session).step()) continue;
    remove_rows(session);
    touched.insert(shard_of(session));
  }
  for (const std::int64_t shard : touched) {
    const std::string table = table_of(shard);
    // Writes all words of the table again, without those of deleted rows. SQLite overwrites the old
    // pages (secure_delete).
    database_.run("INSERT INTO " + table + " (" + table + ") VALUES ('optimize')");
  }
}

bool SearchFile::scrub() {
  if (!database_.checkpoint(sqlite::Database::Checkpoint::truncate)) return false;
  // Otherwise old bytes in the gap of a page in memory could get back into the log.
  database_.run("PRAGMA shrink_memory");
  return true;
}

void SearchFile::checkpoint() {
  if (database_.wal_bytes() < search_checkpoint_bytes) return;
  database_.checkpoint(database_.wal_bytes() > search_log_bytes_max
                           ? sqlite::Database::Checkpoint::truncate_now
                           : sqlite::Database::Checkpoint::passive);
}

std::vector<SearchFile::Session> SearchFile::sessions_after(std::int64_t id, std::size_t limit) {
  std::vector<Session> found;
  sqlite::Query rows = database_.query(
      "SELECT session, public_id FROM indexed WHERE session > ? ORDER BY session LIMIT ?");
  rows.bind(id, limit);
  while (rows.step()) found.push_back({rows.integer(0), rows.text(1)});
  return found;
}

std::vector<std::int64_t> SearchFile::rows_named(const std::string& public_id) {
  std::vector<std::int64_t> found;
  sqlite::Query rows = database_.query("SELECT session FROM indexed WHERE public_id = ?");
  rows.bind(public_id);
  while (rows.step()) found.push_back(rows.integer(0));
  return found;
}

std::unique_ptr<sqlite::Database> open_to_read(const fs::path& file) {
  return std::make_unique<sqlite::Database>(file, options_of(sqlite::Access::read_only));
}

}  // namespace verbatim::search
