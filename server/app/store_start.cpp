#include "server/app/store_start.hpp"

#include <algorithm>
#include <utility>

#include "base/clock.hpp"
#include "server/app/data_dir.hpp"
#include "server/webhooks/kinds.hpp"
#include "storage/maintenance/check.hpp"
#include "storage/sqlite_store/sqlite_image.hpp"

namespace verbatim::app {

namespace {

traces::RecoveryFacts facts_of(const maintenance::RecoveryReport& report, Moment began) {
  traces::RecoveryFacts facts{began, now(), report.clean, {}, 0, 0, 0};
  for (const auto& one : report.attempts)
    facts.sessions.push_back({one.session_id, one.attempt, static_cast<std::int64_t>(one.events),
                              static_cast<std::int64_t>(one.turns)});
  facts.suspended = static_cast<std::int64_t>(report.suspended);
  facts.recovering = static_cast<std::int64_t>(report.recovering.size());
  facts.unreadable_rows = static_cast<std::int64_t>(report.unreadable_rows);
  return facts;
}

bool announces_turns(const config::Webhook& settings) {
  constexpr unsigned turn = 1u << static_cast<unsigned>(store::WebhookKind::turn_completed);
  return std::ranges::any_of(settings.targets, [](const config::WebhookTarget& target) {
    return (webhooks::kinds_wanted_by(target) & turn) != 0;
  });
}

}  // namespace

void StoreStart::require_whole(const config::Settings& settings) {
  maintenance::require_whole_store(database_in(settings.server.data_dir),
                                   settings.storage.fallback_dir);
}

void StoreStart::require_own(const config::Settings& settings) {
  maintenance::require_own_file(database_in(settings.server.data_dir));
}

journal::JournalOptions journal_options(const config::Settings& settings) {
  const config::Journal& journal = settings.journal;
  journal::JournalOptions options;
  options.durability = journal.durability == config::Durability::power
                           ? sqlite::Durability::power
                           : sqlite::Durability::process;
  options.queue_bytes_max = journal.queue_bytes_max;
  options.commit_interval_ms = journal.commit_interval.count();
  options.turns_are_urgent = announces_turns(settings.webhook);
  options.batch_rows_max = journal.batch_rows_max;
  options.batch_bytes_max = journal.batch_bytes_max;
  options.busy_timeout_ms = journal.busy_timeout.count();
  options.full_retry_ms = journal.full_retry.count();
  options.slow_commit_ms = journal.slow_commit.count();
  options.stuck_commit_ms = journal.stuck_commit.count();
  options.fallback_dir = settings.storage.fallback_dir;
  options.wal_checkpoint_bytes = journal.wal_checkpoint_bytes;
  options.track_changes = !settings.fleet.url.empty();
  options.keep_shipped_ms = settings.fleet.keep_shipped.count();
  return options;
}

store::OpenImage StoreStart::image_opener() { return sqlite_store::SqliteImage::open; }

sqlite_store::SqliteStoreOptions StoreStart::options() const {
  sqlite_store::SqliteStoreOptions options;
  options.journal = journal_options(settings_);
  options.journal.file = database_;
  options.journal.ballast = watch_.ballast();
  options.merged_bytes_max = settings_.posts.merged_bytes_max;
  options.search = settings_.storage.search;
  options.search_space_min = settings_.storage.free_space_min;
  options.spill_folder = settings_.server.data_dir;
  return options;
}

void StoreStart::recover() {
  const Moment began = now();
  maintenance::RecoveryReport report =
      maintenance::recover(database_, now().wall, false, settings_.storage.fallback_dir,
                           {.resume_window_ms = settings_.session.resume_window.count(),
                            .leaves_recovering = true,
                            .in_fleet = !settings_.fleet.url.empty(),
                            .again = has_recovered_,
                            .logs = logs_});
  has_recovered_ = true;
  waiting_ = std::move(report.waiting);
  recovered_ = facts_of(report, began);
  for (const auto& one : report.recovering) {
    log_.warn("session.recovering", {{"session", one.session_id},
                                     {"attempt", one.attempt},
                                     {"events", one.events},
                                     {"turns", one.turns},
                                     {"interrupted", one.interrupted}});
  }
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
                              {"recovering", report.recovering.size()},
                              {"suspended", report.suspended},
                              {"events_from_fallback", report.segment_events},
                              {"unreadable_rows", report.unreadable_rows}});
}

std::unique_ptr<store::Store> StoreStart::open() {
  auto store = open_store();
  store_ = store.get();
  if (settings_.journal.durability == config::Durability::process)
    log_.warn(
        "journal.durability",
        {{"mode", "process"},
         {"meaning", "a power cut can lose the last words; kill -9 cannot (journal.durability)"}});
  return store;
}

std::unique_ptr<sqlite_store::SqliteStore> StoreStart::open_store() {
  maintenance::require_whole_store(database_, settings_.storage.fallback_dir);
  logs_ = maintenance::read_logs(database_, settings_.storage.fallback_dir);
  for (bool ballast_given_up = false; true; ballast_given_up = true) {
    try {
      recover();
      return std::make_unique<sqlite_store::SqliteStore>(options(), watch_, log_);
    } catch (const store::StorageError& error) {
      if (error.failure() != store::Failure::disk_full || !std::filesystem::exists(database_))
        throw;
      std::error_code none_there;
      if (ballast_given_up || !std::filesystem::remove(watch_.ballast(), none_there))
        return open_without_room(error);
    }
  }
}

bool StoreStart::catch_up() {
  if (!behind_.exchange(false)) return false;
  store_->open_anew();
  return true;
}

std::unique_ptr<sqlite_store::SqliteStore> StoreStart::open_without_room(
    const store::StorageError& why) {
  log_.error("storage.trouble",
             {{"state", store::to_string(store::JournalState::unavailable)},
              {"kind", store::to_string(why.failure())},
              {"why", why.what()},
              {"now",
               "stored sessions can be read, but no new session is admitted; recovery runs and "
               "the journal opens as soon as the disk has free space"}});
  sqlite_store::SqliteStoreOptions later = options();
  later.journal.begin_without = why;
  later.journal.prepare = [this] { recover(); };
  behind_ = true;
  watch_.begin_without_store();
  return std::make_unique<sqlite_store::SqliteStore>(std::move(later), watch_, log_);
}

}  // namespace verbatim::app
