// Delivers messages from the outbox to webhooks: at least once, and to each target in the order of
// each session.
//
// One thread for each target (target.hpp), so that a target that hangs does not delay others.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "config/settings.hpp"
#include "server/webhooks/target.hpp"
#include "storage/store/delivery_store.hpp"

namespace verbatim::relay {
class MetricsPage;
}  // namespace verbatim::relay

namespace verbatim::store {
class Store;
}  // namespace verbatim::store

namespace verbatim::webhooks {

class Webhooks {
 public:
  /// Starts the threads, and sets in the store which kinds of messages the outbox gets from now on.
  /// Throws std::runtime_error if libcurl cannot be initialised. All references must outlive the
  /// object.
  /// `observer`: watches the calls; may be null.
  Webhooks(const config::Webhook& settings, store::Store& store, DeliveryObserver* observer,
           Log& log);
  /// Aborts calls in progress; the next start repeats calls without a stored result.
  ~Webhooks();

  /// Sets in the store which kinds of messages the outbox gets. Call it again when the store can
  /// write after a start on a full disk.
  void announce();
  /// Takes new secrets (SIGHUP) and nothing else; targets are matched by name.
  void reload(const config::Webhook& settings);
  /// Any thread.
  void add_metrics(relay::MetricsPage& page) const;

  /// Like DeliveryStore, for the current targets. Any thread.
  void list_deliveries(store::DeliveryFilter filter, store::ReadLabel label,
                       store::Done<store::DeliveryPage> done) const;
  void retry_delivery(std::string id, store::Done<store::RetriedDelivery> done) const;

 private:
  store::OutboxStore& outbox_;
  store::DeliveryStore& deliveries_;
  Log& log_;
  const std::vector<store::DeliveryTarget> wanted_;
  std::vector<std::unique_ptr<Target>> targets_;
};

}  // namespace verbatim::webhooks
