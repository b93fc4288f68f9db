// Prepares the store at start: recovers it and opens the journal. Neither works on a full disk. The
// server then begins without a journal, serves reads, and recovers once there is room.
//
// On the starting thread; a later recovery on the journal's thread, before
// StorageWatch::on_healed().
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <utility>

#include "base/log.hpp"
#include "config/settings.hpp"
#include "server/relay/storage_monitor.hpp"
#include "storage/journal/sqlite_journal.hpp"
#include "storage/maintenance/recovery.hpp"

namespace verbatim::server {

class StoreStart {
 public:
  StoreStart(const config::Settings& settings, std::filesystem::path database, StorageWatch& watch,
             Log& log)
      : settings_(settings), database_(std::move(database)), watch_(watch), log_(log) {}

  /// Recovers the store and opens the journal. Throws StorageError if the store cannot be used, or
  /// if there is none and no room to create one.
  std::unique_ptr<storage::SqliteJournal> open();

  /// Returns true once if the server began without the journal.
  bool take_catching_up() { return behind_.exchange(false); }
  /// Number of suspended attempts that the last recovery has left.
  std::size_t suspended() const { return suspended_; }

 private:
  void recover();
  std::unique_ptr<storage::SqliteJournal> open_now();
  std::unique_ptr<storage::SqliteJournal> begin_without(const storage::StorageError& why);

  const config::Settings& settings_;
  const std::filesystem::path database_;
  StorageWatch& watch_;
  Log& log_;
  storage::StoreLogs logs_;  ///< as found before the store was opened
  std::size_t suspended_ = 0;
  std::atomic<bool> behind_{false};
};

}  // namespace verbatim::server
