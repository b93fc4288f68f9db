// One connection to a Verbatim database. It sets and reads back every setting, keeps prepared
// statements, and turns SQLite's errors into StorageError. Only this class and Query use SQLiteCpp.
//
// Used by one thread at a time. Waits for nothing but SQLite's lock timeout. Throws if SQLite does
// not accept a setting.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "storage/sqlite/durability.hpp"
#include "storage/sqlite/query.hpp"
#include "storage/store/error.hpp"

struct sqlite3;
struct sqlite3_io_methods;
namespace SQLite {
class Database;
class Exception;
class Statement;
}  // namespace SQLite

namespace verbatim::sqlite {

class IoTimer;
struct Schema;

enum class Access {
  /// Like read_only, but takes any schema and changes nothing: neither the file nor its WAL nor the
  /// WAL index. For files that may be damaged and that no server uses.
  look,
  read_only,   ///< the file must exist, in the current schema
  read_write,  ///< the file must exist; an older schema is migrated
  create,      ///< makes the file if it is missing, readable only by its owner
  memory,      ///< no file: an empty database in memory. `file` is its name in messages
};

/// The name under which SQLite opens, or attaches, a file that must not be changed (Access::look).
std::string name_to_look(const std::filesystem::path& file);

class Database {
 public:
  struct Options {
    Access access = Access::read_write;
    Durability durability = Durability::power;
    std::int64_t busy_timeout_ms = 2000;
    /// False for a connection beside one that syncs the WAL in each of its commits. The kernel may
    /// report a failed sync only once, so only the committing connection may sync the WAL. A
    /// checkpoint of this connection then syncs nothing in the WAL.
    bool syncs_log = true;
    /// Schema of a file of another kind (schema.hpp); null: that of the main database.
    const Schema* schema = nullptr;
    /// Called with the new connection before it reads anything; null: it has SQLite's own functions
    /// alone. May throw StorageError.
    void (*extend)(sqlite3*) = nullptr;
  };

  /// Throws StorageError; not_found if the file must exist and does not.
  explicit Database(const std::filesystem::path& file) : Database(file, Options{}) {}
  Database(const std::filesystem::path& file, const Options& options);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  const std::filesystem::path& file() const { return file_; }
  /// The schema version found at opening, before any migration; 0: the file was empty.
  int schema_found() const { return schema_found_; }

  /// Returns the statement of this text, compiled on first use. A statement must not be started
  /// again while it runs.
  Query query(std::string_view sql);
  /// For statements without result rows: schema changes, pragmas, transaction control.
  void run(const std::string& sql);

  /// The number that the SQL function change_number() returns from now on; 0: none is given. The
  /// triggers of change tracking use it (storage/rows/change_tracking.hpp).
  void number_changes(std::uint64_t number) { change_number_ = number; }
  std::uint64_t change_number() const { return change_number_; }

  bool in_transaction() const;
  std::int64_t last_insert_id() const;
  /// Number of rows changed by the last INSERT, UPDATE or DELETE.
  std::int64_t changes() const;

  enum class Checkpoint {
    passive,      ///< moves what it can without waiting
    truncate,     ///< moves all and empties the WAL; waits for readers up to the lock timeout
    truncate_now  ///< the same, but gives up at once if there is a reader
  };
  /// False if another connection prevented it. Throws StorageError.
  bool checkpoint(Checkpoint mode);
  /// Any thread: a running checkpoint ends soon, and no committed change is lost. If none is
  /// running, the next one may end early.
  void interrupt() noexcept;
  /// Makes closing remove the WAL. By default closing moves and removes nothing, so that a damaged
  /// file keeps its WAL. Call it for an orderly end, after a checkpoint that emptied the WAL.
  void remove_log_on_close();
  /// Syncs the database file, not the WAL: pages that incomplete checkpoints have written there.
  void sync();
  /// Bytes of the WAL after this connection's last commit.
  std::size_t wal_bytes() const { return wal_bytes_; }
  /// True if the file name now leads to another file than the open one.
  bool has_moved();
  /// Call it when another connection's checkpoint has emptied the WAL.
  void log_was_emptied();

  /// Call it after erasing text: the old pages must leave the WAL too. Outside a transaction it
  /// empties the WAL at once. Inside one it sets scrub_wanted(), and the connection's owner runs a
  /// truncating checkpoint later.
  void want_scrub();
  bool scrub_wanted() const { return scrub_wanted_; }
  /// `then` is called once, by the next log_was_emptied().
  void when_log_is_empty(std::function<void()> then) {
    when_log_is_empty_.push_back(std::move(then));
  }

  /// Copies the database as it is now into an empty file, in steps, while others may write. The
  /// copy is one file without a WAL. `after_step` is called several times a second.
  void copy_into(const std::filesystem::path& file, const std::function<void()>& after_step);

  /// For a file whose state is unknown after an I/O error. Leaks the connection and its statements
  /// on purpose: closing would run a checkpoint. It would copy pages that the kernel may have
  /// dropped over good ones, and then delete the WAL that still held them. The file stays open
  /// until the process ends.
  void abandon() noexcept;

  /// While a statement runs, `watch` shows that the thread is in disk I/O; null: not shown.
  void watch_statements(IoTimer* watch) { statement_watch_ = watch; }
  IoTimer* statement_watch() const { return statement_watch_; }

  /// Converts SQLite's exception to a StorageError that names the file.
  store::StorageError explain(const SQLite::Exception& error) const;

 private:
  void open(const Options& options);
  void find_file(const Options& options);
  void connect(const Options& options);
  void close_without_checkpoint(bool without);
  void configure(const Options& options);
  void take_over_log(bool syncs);
  void set(const std::string& pragma, const std::string& value, const std::string& expected);
  static int after_commit(void* self, sqlite3*, const char*, int pages);
  void add_change_number();

  std::filesystem::path file_;
  struct LogMethods;
  std::shared_ptr<LogMethods> log_methods_;  ///< replace SQLite's methods of the WAL
  std::unique_ptr<SQLite::Database> connection_;
  struct TextHash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::unordered_map<std::string, std::unique_ptr<SQLite::Statement>, TextHash, std::equal_to<>>
      statements_;
  int schema_found_ = 0;
  std::int64_t busy_timeout_ms_ = 0;
  std::size_t wal_bytes_ = 0;
  bool scrub_wanted_ = false;
  std::uint64_t change_number_ = 0;
  std::vector<std::function<void()>> when_log_is_empty_;
  IoTimer* statement_watch_ = nullptr;
};

/// BEGIN IMMEDIATE ... COMMIT. The destructor rolls back if commit() was not called, unless SQLite
/// has rolled back already (full disk) or the connection was abandoned.
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

/// A SAVEPOINT: undoes only its own changes inside a transaction. Outside one it is a transaction.
class Savepoint {
 public:
  explicit Savepoint(Database& database);
  ~Savepoint();
  Savepoint(const Savepoint&) = delete;
  Savepoint& operator=(const Savepoint&) = delete;
  void release();
  void undo();

 private:
  Database& database_;
  bool open_ = true;
};

}  // namespace verbatim::sqlite
