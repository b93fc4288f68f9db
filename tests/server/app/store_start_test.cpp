// How the settings of the journal reach the store.
#include "server/app/store_start.hpp"

#include <catch2/catch.hpp>
#include <cstdint>
#include <map>
#include <string>

using namespace verbatim;
using namespace std::chrono_literals;

namespace {

/// Each number of the options, by its name.
std::map<std::string, std::uint64_t> numbers(const journal::JournalOptions& options) {
  const auto number = [](std::int64_t ms) { return static_cast<std::uint64_t>(ms); };
  return {{"queue_bytes_max", options.queue_bytes_max},
          {"commit_interval_ms", number(options.commit_interval_ms)},
          {"batch_rows_max", options.batch_rows_max},
          {"batch_bytes_max", options.batch_bytes_max},
          {"busy_timeout_ms", number(options.busy_timeout_ms)},
          {"full_retry_ms", number(options.full_retry_ms)},
          {"slow_commit_ms", number(options.slow_commit_ms)},
          {"stuck_commit_ms", number(options.stuck_commit_ms)},
          {"wal_checkpoint_bytes", options.wal_checkpoint_bytes},
          {"keep_shipped_ms", number(options.keep_shipped_ms)}};
}

}  // namespace

TEST_CASE("the journal's own defaults are those that the configuration documents", "[config]") {
  const config::Settings settings;
  const journal::JournalOptions options = app::journal_options(settings);
  CHECK(numbers(options) == numbers(journal::JournalOptions()));
  CHECK(options.durability == journal::JournalOptions().durability);
  CHECK(options.fallback_dir.empty());
  CHECK_FALSE(options.track_changes);
  CHECK_FALSE(options.turns_are_urgent);
}

TEST_CASE("turns do not wait for a paced commit if a webhook announces them", "[config][pacing]") {
  config::Settings settings;
  settings.webhook.targets.resize(1);
  CHECK_FALSE(app::journal_options(settings).turns_are_urgent);
  settings.webhook.targets.front().events = {"turn.completed"};
  CHECK(app::journal_options(settings).turns_are_urgent);
}

TEST_CASE("each setting of the journal reaches the store in the store's unit", "[config]") {
  config::Settings settings;
  settings.journal.durability = config::Durability::process;
  settings.journal.queue_bytes_max = 1;
  settings.journal.commit_interval = 10ms;
  settings.journal.batch_rows_max = 2;
  settings.journal.batch_bytes_max = 3;
  settings.journal.busy_timeout = 4s;
  settings.journal.full_retry = 5s;
  settings.journal.slow_commit = 6s;
  settings.journal.stuck_commit = 7s;
  settings.journal.wal_checkpoint_bytes = 8;
  settings.storage.fallback_dir = "elsewhere";
  settings.fleet.url = Secret("postgresql://db.example/verbatim");
  settings.fleet.keep_shipped = 9s;
  const journal::JournalOptions options = app::journal_options(settings);
  CHECK(numbers(options) == std::map<std::string, std::uint64_t>{{"queue_bytes_max", 1},
                                                                 {"commit_interval_ms", 10},
                                                                 {"batch_rows_max", 2},
                                                                 {"batch_bytes_max", 3},
                                                                 {"busy_timeout_ms", 4000},
                                                                 {"full_retry_ms", 5000},
                                                                 {"slow_commit_ms", 6000},
                                                                 {"stuck_commit_ms", 7000},
                                                                 {"wal_checkpoint_bytes", 8},
                                                                 {"keep_shipped_ms", 9000}});
  CHECK(options.durability == sqlite::Durability::process);
  CHECK(options.fallback_dir == "elsewhere");
  CHECK(options.track_changes);
}
