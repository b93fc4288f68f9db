// Tells webhooks what has happened, from the outbox: at least once, and to each target in order.
//
// A thread a target, so that one that hangs delays nobody else. Each reads by connections of its
// own; what it writes goes through the journal's writer.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/log.hpp"
#include "config/settings.hpp"
#include "server/relay/metrics.hpp"
#include "storage/journal/sqlite_journal.hpp"

namespace verbatim::server {

class Webhooks {
 public:
  /// Says in the file what is to be announced from now on. Throws StorageError.
  Webhooks(const config::Webhook& settings, const std::filesystem::path& database,
           storage::SqliteJournal& journal, Log& log);
  /// Calls under way are given up; what has not been recorded is sent again by the next start.
  ~Webhooks();

  /// Has messages written for the targets there are. Again after a start without the journal.
  void announce();
  /// Secrets alone are taken from it (SIGHUP); targets are known by their names.
  void reload(const config::Webhook& settings);
  std::vector<WebhookGauges> gauges() const;

 private:
  class Target;
  storage::SqliteJournal& journal_;
  Log& log_;
  unsigned kinds_ = 0;
  std::atomic<bool> stopping_{false};
  std::vector<std::unique_ptr<Target>> targets_;
};

}  // namespace verbatim::server
