// What a start does with the store before anything is served: recovers it and opens the journal. On
// a full disk neither can be done; the server then begins without, reads what is there, and catches
// up as soon as there is room.
//
// On the starting thread; when it catches up, on the journal's, before StorageWatch::on_healed().
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

  /// Throws StorageError if the store cannot be used, or if there is none yet and no room for one.
  std::unique_ptr<storage::SqliteJournal> open();

  /// True once, after a begin without the journal.
  bool take_catching_up() { return behind_.exchange(false); }
  /// Attempts that the last recovery has left to be carried on.
  std::size_t suspended() const { return suspended_; }

 private:
  void recover();
  std::unique_ptr<storage::SqliteJournal> open_now();
  std::unique_ptr<storage::SqliteJournal> begin_without(const storage::StorageError& why);

  const config::Settings& settings_;
  const std::filesystem::path database_;
  StorageWatch& watch_;
  Log& log_;
  storage::StoreLogs logs_;  ///< as they were before anything was opened
  std::size_t suspended_ = 0;
  std::atomic<bool> behind_{false};
};

}  // namespace verbatim::server
