#include "server/app/store_start.hpp"

#include <utility>

#include "server/relay/session_driver.hpp"

namespace verbatim::server {

namespace {

storage::JournalOptions journal_options(const config::Settings& all,
                                        const std::filesystem::path& file,
                                        const std::filesystem::path& ballast) {
  const config::Journal& settings = all.journal;
  storage::JournalOptions options;
  options.file = file;
  options.durability = settings.durability == config::Durability::power
                           ? storage::Durability::power
                           : storage::Durability::process;
  options.queue_bytes_max = settings.queue_bytes_max;
  options.batch_rows_max = settings.batch_rows_max;
  options.batch_bytes_max = settings.batch_bytes_max;
  options.busy_timeout_ms = settings.busy_timeout.count();
  options.full_retry_ms = settings.full_retry.count();
  options.slow_commit_ms = settings.slow_commit.count();
  options.stuck_commit_ms = settings.stuck_commit.count();
  options.fallback_dir = all.storage.fallback_dir;
  options.ballast = ballast;
  options.wal_checkpoint_bytes = settings.wal_checkpoint_bytes;
  return options;
}

}  // namespace

void StoreStart::recover() {
  const storage::RecoveryReport report =
      storage::recover(database_, now().wall, false, settings_.storage.fallback_dir,
                       settings_.session.resume_window.count(), logs_);
  suspended_ = report.suspended;
  for (const auto& one : report.attempts) {
    log_.warn("session.recovered", {{"session", one.session_id},
                                    {"attempt", one.attempt},
                                    {"events", one.events},
                                    {"turns", one.turns},
                                    {"interrupted", one.interrupted}});
  }
  watch_.found(report.logs);
  log_.info("recovery.done", {{"clean", report.clean},
                              {"sessions", report.attempts.size()},
                              {"suspended", report.suspended},
                              {"events_from_fallback", report.segment_events},
                              {"unreadable_rows", report.unreadable_rows}});
}

std::unique_ptr<storage::SqliteJournal> StoreStart::open_now() {
  recover();
  return std::make_unique<storage::SqliteJournal>(
      journal_options(settings_, database_, watch_.ballast()), watch_);
}

std::unique_ptr<storage::SqliteJournal> StoreStart::open() {
  storage::require_whole_store(database_, settings_.storage.fallback_dir);
  logs_ = storage::read_logs(database_, settings_.storage.fallback_dir);
  for (bool ballast_given_up = false; true; ballast_given_up = true) {
    try {
      return open_now();
    } catch (const storage::StorageError& error) {
      if (error.failure() != storage::Failure::disk_full || !std::filesystem::exists(database_))
        throw;
      std::error_code none_there;
      if (ballast_given_up || !std::filesystem::remove(watch_.ballast(), none_there))
        return begin_without(error);
    }
  }
}

std::unique_ptr<storage::SqliteJournal> StoreStart::begin_without(
    const storage::StorageError& why) {
  log_.error("storage.trouble",
             {{"state", to_string(storage::JournalState::unavailable)},
              {"kind", to_string(why.failure())},
              {"why", why.what()},
              {"now",
               "stored sessions can be read, but no new session is admitted; recovery runs and "
               "the journal opens as soon as the disk has free space"}});
  storage::JournalOptions options = journal_options(settings_, database_, watch_.ballast());
  options.begin_without = why;
  options.prepare = [this] { recover(); };
  behind_ = true;
  return std::make_unique<storage::SqliteJournal>(std::move(options), watch_);
}

}  // namespace verbatim::server
