// Delivers messages from the outbox to webhooks: at least once, and to each target in order.
//
// One thread for each target, so that a target that hangs does not delay others. Each thread waits
// for the store.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "config/settings.hpp"
#include "storage/store/outbox_store.hpp"

namespace verbatim::relay {
class MetricsPage;
}  // namespace verbatim::relay

namespace verbatim::webhooks {

/// Of one target. Counts are since the start.
struct WebhookGauges {
  std::string target;
  std::uint64_t delivered = 0;
  std::uint64_t failed = 0;        ///< tries
  std::uint64_t dead = 0;          ///< messages given up
  std::uint64_t waiting = 0;       ///< now, not delivered yet
  std::uint64_t dead_letters = 0;  ///< now, not sent again
  double oldest_seconds = 0;       ///< age of the oldest that waits
};

class Webhooks {
 public:
  /// Starts the threads, and sets in the store which kinds of messages the outbox gets from now on.
  /// Throws std::runtime_error if libcurl cannot be initialised. All references must outlive the
  /// object.
  Webhooks(const config::Webhook& settings, store::OutboxStore& store, Log& log);
  /// Aborts calls in progress; the next start repeats calls without a stored result.
  ~Webhooks();

  /// Sets in the store which kinds of messages the outbox gets. Call it again when the store can
  /// write after a start on a full disk.
  void announce();
  /// Takes new secrets (SIGHUP) and nothing else; targets are matched by name.
  void reload(const config::Webhook& settings);
  /// Any thread.
  void add_metrics(relay::MetricsPage& page) const;

 private:
  class Target;
  store::OutboxStore& store_;
  Log& log_;
  unsigned kinds_ = 0;
  std::atomic<bool> stopping_{false};
  std::vector<std::unique_ptr<Target>> targets_;
};

}  // namespace verbatim::webhooks
