// One connection to a Verbatim database: opened with every setting set and read back, its prepared
// statements kept alive, SQLite's errors turned into StorageError. The only place, with query.hpp,
// that sees SQLiteCpp.
//
// One thread at a time. Never waits on anything but SQLite's own lock time-out, and never goes on
// quietly with a setting that SQLite did not take.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "storage/sqlite/durability.hpp"
#include "storage/sqlite/error.hpp"
#include "storage/sqlite/query.hpp"

struct sqlite3;
struct sqlite3_io_methods;
namespace SQLite {
class Database;
class Exception;
class Statement;
}  // namespace SQLite

namespace verbatim::storage {

class IoTimer;

enum class Access {
  /// As read_only, but in any schema, and nothing at all is changed: neither the file nor its log,
  /// nor the index beside them. For files that are not known to be sound and that no server uses.
  look,
  read_only,   ///< the file must be there, in this version's schema
  read_write,  ///< the file must be there; an older schema is migrated
  create,      ///< made (for its owner's eyes only) if it is not there
};

/// What SQLite is to be given as the name of a file that is only looked at, also to attach it.
std::string name_to_look(const std::filesystem::path& file);

class Database {
 public:
  struct Options {
    Access access = Access::read_write;
    Durability durability = Durability::power;
    std::int64_t busy_timeout_ms = 2000;
    /// False for a connection beside one that syncs the log in each of its commits: then it is
    /// that one alone to whom the kernel reports a sync of the log that failed, and a checkpoint
    /// here has nothing to sync in it.
    bool syncs_log = true;
  };

  /// Throws StorageError; not_found if the file must be there and is not.
  explicit Database(const std::filesystem::path& file) : Database(file, Options{}) {}
  Database(const std::filesystem::path& file, const Options& options);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  const std::filesystem::path& file() const { return file_; }
  /// The schema that the file was opened with, before any migration; 0: it was empty.
  int schema_found() const { return schema_found_; }

  /// The statement of this text, compiled on first use. One user at a time: a query may not be
  /// begun again while it runs.
  Query query(std::string_view sql);
  /// Statements that give no rows: schema changes, pragmas, transaction control.
  void run(const std::string& sql);

  bool in_transaction() const;
  std::int64_t last_insert_id() const;
  /// Rows that the last INSERT, UPDATE or DELETE touched.
  std::int64_t changes() const;

  enum class Checkpoint {
    passive,      ///< moves what it can without waiting for anyone
    truncate,     ///< moves all and empties the log; waits for readers up to the lock time-out
    truncate_now  ///< the same, but gives up at once if there is a reader
  };
  /// False if others were in the way. Throws on errors.
  bool checkpoint(Checkpoint mode);
  /// From another thread: a checkpoint that is under way ends soon, having changed nothing that
  /// counts; if none is, the next one may.
  void interrupt() noexcept;
  /// Closing moves and removes nothing, unless this was called: of a file that is not sound, the
  /// log must stay. For an orderly end, after a checkpoint that has emptied the log.
  void remove_log_on_close();
  /// Syncs the file itself, not the log: what incomplete checkpoints have put there.
  void sync();
  /// Size of the write-ahead log after the last commit of this connection.
  std::size_t wal_bytes() const { return wal_bytes_; }
  /// Whether the name leads to another file now than the one that is open.
  bool has_moved();
  /// Another connection's checkpoint has emptied it.
  void log_was_emptied() {
    wal_bytes_ = 0;
    scrub_wanted_ = false;
  }

  /// Text was erased: its old pages must leave the write-ahead log too. Done at once outside a
  /// transaction; inside one, whoever owns the connection does it later, by a truncating
  /// checkpoint.
  void want_scrub();
  bool scrub_wanted() const { return scrub_wanted_; }

  /// Copies the whole of it, as it is now, into an empty file, in steps; others may write
  /// meanwhile. The copy is one file, without a log. `after_step` is called some times a second.
  void copy_into(const std::filesystem::path& file, const std::function<void()>& after_step);

  /// For a file whose state is unknown after an I/O error. The connection and its statements are
  /// leaked on purpose: closing would checkpoint, that is, copy pages that the kernel may have
  /// dropped over good ones, and then delete the log that still had them. Only the end of the
  /// process lets go of the file.
  void abandon() noexcept;

  /// While each statement runs, `watch` says that the thread waits for the disk; null: none does.
  void watch_statements(IoTimer* watch) { statement_watch_ = watch; }
  IoTimer* statement_watch() const { return statement_watch_; }

  /// What SQLite threw, in our words.
  StorageError explain(const SQLite::Exception& error) const;

 private:
  void open(const Options& options);
  void connect(const Options& options);
  void close_without_checkpoint(bool without);
  void configure(const Options& options);
  void take_over_log(bool syncs);
  void set(const std::string& pragma, const std::string& value, const std::string& expected);
  static int after_commit(void* self, sqlite3*, const char*, int pages);

  std::filesystem::path file_;
  struct LogMethods;
  std::shared_ptr<LogMethods> log_methods_;  ///< what the connection's log uses
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
  IoTimer* statement_watch_ = nullptr;
};

/// BEGIN IMMEDIATE ... COMMIT; rolled back if it leaves scope before commit(), unless SQLite has
/// done that already (a full disk) or the connection was abandoned.
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

/// The same inside a transaction, undoing only itself; outside of one it is one.
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

}  // namespace verbatim::storage
