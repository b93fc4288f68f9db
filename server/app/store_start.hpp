// Chooses, recovers and opens the store at start; the only place of the server that knows which
// store there is. Neither recovery nor a journal is possible on a full disk. The server then begins
// without a journal, serves reads, and recovers once there is room.
//
// On the starting thread; a later recovery on the journal's thread, before
// StorageWatch::on_recovered().
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "config/settings.hpp"
#include "server/relay/storage_monitor.hpp"
#include "server/traces/tracer.hpp"
#include "storage/maintenance/recovery.hpp"
#include "storage/sqlite_store/sqlite_store.hpp"
#include "storage/store/session_image.hpp"

namespace verbatim::app {

/// The journal as the configuration wants it, without the paths of its file and ballast.
journal::JournalOptions journal_options(const config::Settings& settings);

class StoreStart {
 public:
  StoreStart(const config::Settings& settings, std::filesystem::path database,
             relay::StorageWatch& watch, Log& log)
      : settings_(settings), database_(std::move(database)), watch_(watch), log_(log) {}

  /// Throws, and changes nothing, if a part of the store is missing.
  static void require_whole(const config::Settings& settings);
  /// Throws, and changes nothing, if the database's header shows that it could not be opened. Call
  /// it in a process that does not open the store.
  static void require_own(const config::Settings& settings);

  /// Images of sessions of another database, read by the code of this store.
  static store::OpenImage image_opener();
  /// Recovers the store and opens it. Throws StorageError if it cannot be used, or if there is none
  /// and no room to create one. The result must not outlive this object.
  std::unique_ptr<store::Store> open();

  /// The disk has room again. Returns true once if the store was opened without it: its reads then
  /// start again, after a recovery.
  bool catch_up();
  /// The attempts that the last recovery has left open for their clients.
  const std::vector<store::WaitingAttempt>& waiting() const { return waiting_; }
  /// The last recovery, for traces.
  const traces::RecoveryFacts& recovered() const { return recovered_; }

 private:
  void recover();
  sqlite_store::SqliteStoreOptions options() const;
  std::unique_ptr<sqlite_store::SqliteStore> open_store();
  std::unique_ptr<sqlite_store::SqliteStore> open_without_room(const store::StorageError& why);

  const config::Settings& settings_;
  const std::filesystem::path database_;
  relay::StorageWatch& watch_;
  Log& log_;
  maintenance::StoreLogs logs_;  ///< as found before the store was opened
  bool has_recovered_ = false;
  std::vector<store::WaitingAttempt> waiting_;
  traces::RecoveryFacts recovered_;
  std::atomic<bool> behind_{false};
  sqlite_store::SqliteStore* store_ = nullptr;  ///< the store that open() has returned
};

}  // namespace verbatim::app
