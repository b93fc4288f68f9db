#include "storage/sqlite/database.hpp"

#include <sqlite3.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include <SQLiteCpp/Backup.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>

#include "storage/sqlite/files.hpp"
#include "storage/sqlite/full_disk.hpp"
#include "storage/sqlite/page_gap.hpp"
#include "storage/sqlite/schema.hpp"
#include "storage/sqlite/store_files.hpp"
#include "storage/sqlite/wal_file.hpp"

namespace verbatim::sqlite {
namespace {

namespace fs = std::filesystem;

store::Failure failure_of(int extended) {
  // The WAL index (-shm) could not grow. It holds nothing durable. The cause is a full disk, for
  // which SQLite has no code of its own here.
  if (extended == SQLITE_IOERR_SHMSIZE) return store::Failure::disk_full;
  if (extended == SQLITE_IOERR_NOMEM) return store::Failure::other;
  switch (extended & 0xff) {
    case SQLITE_FULL:
      return store::Failure::disk_full;
    case SQLITE_IOERR:
      return store::Failure::io_error;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return store::Failure::corrupt;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return store::Failure::read_only;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return store::Failure::busy;
    default:
      return store::Failure::other;
  }
}

store::StorageError in_our_words(const fs::path& file, const SQLite::Exception& error) {
  int code = error.getExtendedErrorCode();
  if (code <= 0) code = error.getErrorCode();
  const store::Failure failure = failure_of(code);
  return store::StorageError(failure,
                             file.string() + ": " + error.what() + " (SQLite code " +
                                 std::to_string(code) + "); " + store::advice_for(failure),
                             code);
}

/// How SQLite opens a file.
struct Opening {
  std::string name;
  int flags;
  bool index_in_memory = false;
};

/// A URI gives "?", "#" and "%" a meaning: they are percent-encoded.
std::string uri_of(const fs::path& file, const char* parameter) {
  std::string uri = "file:";
  for (const char c : fs::absolute(file).string()) {
    constexpr const char* hex = "0123456789ABCDEF";
    const bool plain = c != '?' && c != '#' && c != '%';
    if (plain) {
      uri += c;
    } else {
      uri +=
          {'%', hex[static_cast<unsigned char>(c) >> 4], hex[static_cast<unsigned char>(c) & 15]};
    }
  }
  return uri + "?" + parameter;
}

/// How to open a file without changing anything on the disk. A reader of a WAL uses the WAL index,
/// or makes one; it must not make one here.
/// - no readable WAL: `immutable`, which needs no index;
/// - an index with content: `readonly_shm`, which only reads it;
/// - no index, but the file is writable: the index is kept in memory, which takes an exclusive
///   lock.
Opening opening_to_look(const fs::path& file) {
  const auto has_bytes = [](const fs::path& one) {
    std::error_code none;
    const auto bytes = fs::file_size(one, none);
    return !none && bytes > 0;
  };
  // A rollback journal must be rolled back, which changes the file: SQLite does not read a
  // half-changed one.
  if (has_bytes(rollback_journal_of(file)))
    return {file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_URI};
  const int read_uri = SQLite::OPEN_READONLY | SQLite::OPEN_URI;
  if (!has_readable_log(file)) return {uri_of(file, "immutable=1"), read_uri};
  if (has_bytes(index_of(file))) return {uri_of(file, "readonly_shm=1"), read_uri};
  if (::access(file.c_str(), W_OK) != 0) return {file.string(), read_uri};
  return {file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_URI, true};
}

/// Keeps the leaks of abandon() reachable, so that a leak checker does not report them.
std::vector<std::shared_ptr<void>>& abandoned() {
  static auto* const kept = new std::vector<std::shared_ptr<void>>;
  return *kept;
}

}  // namespace

std::string name_to_look(const fs::path& file) { return opening_to_look(file).name; }

Database::Database(const fs::path& file, const Options& options) : file_(file) {
  try {
    open(options);
  } catch (const SQLite::Exception& error) {
    throw explain(error);
  }
}

Database::~Database() = default;

void Database::open(const Options& options) {
  if (options.access != Access::memory) find_file(options);
  connect(options);
  close_without_checkpoint(true);
  int defensive = 0;
  sqlite3_db_config(connection_->getHandle(), SQLITE_DBCONFIG_DEFENSIVE, 1, &defensive);
  if (defensive != 1)
    throw store::StorageError(store::Failure::other,
                              file_.string() + ": SQLite refused its defensive mode");
  if (options.extend != nullptr) options.extend(connection_->getHandle());

  const Schema schema = options.schema ? *options.schema : main_schema();
  schema_found_ = identify(*this, schema);
  if (options.access == Access::memory) {
    set("trusted_schema", "OFF", "0");
  } else {
    configure(options);
  }
  if (options.access == Access::read_only) {
    require_current_schema(*this, schema_found_, schema);
  } else if (options.access != Access::look) {
    migrate(*this, schema_found_, schema);
  }
  sqlite3_wal_hook(connection_->getHandle(), &Database::after_commit, this);
  if (options.access == Access::create || options.access == Access::read_write)
    take_over_log(options.syncs_log);
}

void Database::find_file(const Options& options) {
  require_database_of_log(file_);
  if (options.access == Access::create) {
    make_private_file(file_);
  } else if (!fs::exists(file_)) {
    throw store::StorageError(store::Failure::not_found,
                              file_.string() + ": there is no such file");
  }
}

void Database::connect(const Options& options) {
  const Opening how = options.access == Access::memory ? Opening{":memory:", SQLite::OPEN_READWRITE}
                      : options.access == Access::look ? opening_to_look(file_)
                      : options.access == Access::read_only
                          ? Opening{file_.string(), SQLite::OPEN_READONLY}
                          : Opening{file_.string(), SQLite::OPEN_READWRITE};
  connection_ = std::make_unique<SQLite::Database>(how.name, how.flags | SQLite::OPEN_NOMUTEX,
                                                   static_cast<int>(options.busy_timeout_ms));
  add_change_number();
  if (how.index_in_memory) run("PRAGMA locking_mode=EXCLUSIVE");
}

/// A trigger may call only functions that are declared harmless, because of trusted_schema=OFF.
void Database::add_change_number() {
  const auto answer = [](sqlite3_context* context, int, sqlite3_value**) {
    const auto* const self = static_cast<const Database*>(sqlite3_user_data(context));
    sqlite3_result_int64(context, static_cast<sqlite3_int64>(self->change_number_));
  };
  sqlite3* const handle = connection_->getHandle();
  const int result =
      sqlite3_create_function_v2(handle, "change_number", 0, SQLITE_UTF8 | SQLITE_INNOCUOUS, this,
                                 answer, nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) throw explain(SQLite::Exception(handle, result));
}

void Database::close_without_checkpoint(bool without) {
  int set = -1;
  sqlite3_db_config(connection_->getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, without ? 1 : 0,
                    &set);
  if ((set == 1) != without)
    throw store::StorageError(store::Failure::other,
                              file_.string() + ": SQLite refused to close without a checkpoint");
}

void Database::remove_log_on_close() { close_without_checkpoint(false); }

/// SQLite's file methods for the WAL with another xWrite, and another xSync if this connection does
/// not sync the WAL.
struct Database::LogMethods {
  sqlite3_io_methods ours{};
  const sqlite3_io_methods* theirs = nullptr;

  static int write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
    const auto& theirs = *reinterpret_cast<const LogMethods*>(file->pMethods)->theirs;
    return result_of_write(file, theirs, theirs.xWrite(file, bytes, size, offset));
  }
};

void Database::take_over_log(bool syncs) {
  query("PRAGMA schema_version").step();  // the first read opens the WAL
  sqlite3_file* log = nullptr;
  sqlite3_file_control(connection_->getHandle(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
  if (log == nullptr || log->pMethods == nullptr)
    throw store::StorageError(store::Failure::other,
                              file_.string() + ": SQLite has not opened its WAL");
  log_methods_ = std::make_shared<LogMethods>();
  log_methods_->theirs = log->pMethods;
  log_methods_->ours = *log->pMethods;
  log_methods_->ours.xWrite = &LogMethods::write;
  // SQLite has one setting for syncs of the WAL and of the database; a connection needs them apart.
  if (!syncs) log_methods_->ours.xSync = [](sqlite3_file*, int) { return SQLITE_OK; };
  log->pMethods = &log_methods_->ours;
}

void Database::configure(const Options& options) {
  if (options.access == Access::read_write || options.access == Access::create) {
    set("page_size", "4096", "4096");
    set("journal_mode", "WAL", "wal");
    set("secure_delete", "ON", "1");
    set("journal_size_limit", "67108864", "67108864");
    set("auto_vacuum", "0", "0");
    sqlite3_file* file = nullptr;
    sqlite3_file_control(connection_->getHandle(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
    write_with_empty_gaps(file);
  }
  const bool power = options.durability == Durability::power;
  set("synchronous", power ? "FULL" : "NORMAL", power ? "2" : "1");
  set("wal_autocheckpoint", "0", "0");  // a commit's result never reports its sync errors
  set("mmap_size", "0", "0");           // a failed read must be an error, not a signal
  set("temp_store", "MEMORY", "2");
  set("cell_size_check", "ON", "1");
  set("trusted_schema", "OFF", "0");
  const std::string timeout = std::to_string(options.busy_timeout_ms);
  set("busy_timeout", timeout, timeout);
  busy_timeout_ms_ = options.busy_timeout_ms;
}

void Database::set(const std::string& pragma, const std::string& value,
                   const std::string& expected) {
  run("PRAGMA " + pragma + "=" + value);
  Query read = query("PRAGMA " + pragma);
  const std::string taken = read.step() ? read.text(0) : "nothing";
  if (taken != expected)
    throw store::StorageError(
        store::Failure::other,
        file_.string() + ": asked SQLite for " + pragma + "=" + value + ", it kept " + taken);
}

int Database::after_commit(void* self, sqlite3*, const char*, int pages) {
  constexpr std::size_t frame = 4096 + 24;
  static_cast<Database*>(self)->wal_bytes_ = static_cast<std::size_t>(pages) * frame;
  return SQLITE_OK;
}

Query Database::query(std::string_view sql) {
  auto found = statements_.find(sql);
  if (found == statements_.end()) {
    try {
      std::string text(sql);
      auto statement = std::make_unique<SQLite::Statement>(*connection_, text);
      found = statements_.emplace(std::move(text), std::move(statement)).first;
    } catch (const SQLite::Exception& error) {
      throw explain(error);
    }
  }
  return Query(*this, *found->second);
}

void Database::run(const std::string& sql) {
  try {
    connection_->exec(sql);
  } catch (const SQLite::Exception& error) {
    throw explain(error);
  }
}

bool Database::in_transaction() const {
  return connection_ && sqlite3_get_autocommit(connection_->getHandle()) == 0;
}

std::int64_t Database::last_insert_id() const { return connection_->getLastInsertRowid(); }

std::int64_t Database::changes() const { return connection_->getChanges(); }

bool Database::checkpoint(Checkpoint mode) {
  sqlite3* const handle = connection_->getHandle();
  const bool passive = mode == Checkpoint::passive;
  if (mode == Checkpoint::truncate_now) sqlite3_busy_timeout(handle, 0);
  const int result = sqlite3_wal_checkpoint_v2(
      handle, nullptr, passive ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_TRUNCATE, nullptr,
      nullptr);
  const SQLite::Exception outcome(handle, result);
  if (mode == Checkpoint::truncate_now)
    sqlite3_busy_timeout(handle, static_cast<int>(busy_timeout_ms_));
  if (result == SQLITE_INTERRUPT) return false;
  if (result != SQLITE_OK) {
    const store::StorageError error = explain(outcome);
    if (error.failure() == store::Failure::busy) return false;
    throw error;
  }
  if (!passive) log_was_emptied();
  return true;
}

void Database::interrupt() noexcept { sqlite3_interrupt(connection_->getHandle()); }

void Database::sync() {
  sqlite3_file* file = nullptr;
  sqlite3_file_control(connection_->getHandle(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
  const int result = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
  if (result != SQLITE_OK) throw explain(SQLite::Exception(sqlite3_errstr(result), result));
}

bool Database::has_moved() {
  int moved = 0;
  sqlite3_file_control(connection_->getHandle(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  return moved != 0;
}

void Database::log_was_emptied() {
  wal_bytes_ = 0;
  scrub_wanted_ = false;
  for (const auto& then : std::exchange(when_log_is_empty_, {})) then();
}

void Database::want_scrub() {
  scrub_wanted_ = true;
  if (!in_transaction()) checkpoint(Checkpoint::truncate);
}

void Database::copy_into(const fs::path& file, const std::function<void()>& after_step) {
  constexpr int pages_a_step = 256;
  // One read transaction for the whole copy: otherwise each commit of others would restart it.
  Savepoint snapshot(*this);
  query("SELECT clean FROM meta").step();
  try {
    SQLite::Database copy(file, SQLite::OPEN_READWRITE);
    // The copy counts only once it is complete; the caller syncs it.
    copy.exec("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF");
    {
      SQLite::Backup backup(copy, *connection_);
      int result = SQLITE_OK;
      while ((result = backup.executeStep(pages_a_step)) == SQLITE_OK) after_step();
      if (result != SQLITE_DONE)
        throw store::StorageError(store::Failure::busy,
                                  file.string() + ": " + store::advice_for(store::Failure::busy));
    }
    copy.exec("PRAGMA journal_mode=DELETE");
  } catch (const SQLite::Exception& error) {
    throw in_our_words(file, error);
  }
}

void Database::abandon() noexcept {
  for (auto& [sql, statement] : statements_)
    abandoned().push_back(std::shared_ptr<SQLite::Statement>(std::move(statement)));
  abandoned().push_back(std::shared_ptr<SQLite::Database>(std::move(connection_)));
  abandoned().push_back(std::move(log_methods_));
}

store::StorageError Database::explain(const SQLite::Exception& error) const {
  return in_our_words(file_, error);
}

Transaction::Transaction(Database& database) : database_(database) {
  database_.query("BEGIN IMMEDIATE").run();
}

Transaction::~Transaction() {
  if (!open_ || !database_.in_transaction()) return;
  try {
    database_.query("ROLLBACK").run();
  } catch (const store::StorageError&) {
    // The error that caused the rollback is being thrown already and says more.
  }
}

void Transaction::commit() {
  database_.query("COMMIT").run();
  open_ = false;
}

Savepoint::Savepoint(Database& database) : database_(database) {
  database_.query("SAVEPOINT inner").run();
}

Savepoint::~Savepoint() {
  if (!open_ || !database_.in_transaction()) return;
  try {
    undo();
  } catch (const store::StorageError&) {
    // As in ~Transaction().
  }
}

void Savepoint::undo() {
  database_.query("ROLLBACK TO inner").run();
  release();
}

void Savepoint::release() {
  database_.query("RELEASE inner").run();
  open_ = false;
}

}  // namespace verbatim::sqlite
