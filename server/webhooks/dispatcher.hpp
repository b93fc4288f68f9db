// Delivers messages from the outbox to webhooks: at least once, and to each target in the order of
// each session.
//
// One thread for each target (target.hpp), so that a target that hangs does not delay others.
// Targets can be replaced while the program runs.
#pragma once

#include <memory>
#include <mutex>
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

  /// Targets with new settings, which are not in use yet.
  class Fresh;
  /// Throws as the constructor.
  std::shared_ptr<Fresh> prepare(const config::Webhook& settings) const;
  /// Replaces all targets. One that stays, by its name, ends its calls before its successor begins;
  /// calls of a removed one are aborted. On the control thread.
  void use(const std::shared_ptr<Fresh>& fresh);
  /// Takes new secrets and nothing else. On the control thread.
  void set_secrets(const config::Webhook& settings);
  /// Any thread.
  void add_metrics(relay::MetricsPage& page) const;

  /// Like DeliveryStore, for the current targets. Any thread.
  void list_deliveries(store::DeliveryFilter filter, store::ReadLabel label,
                       store::Done<store::DeliveryPage> done) const;
  void retry_delivery(std::string id, store::Done<store::RetriedDelivery> done) const;

 private:
  using Targets = std::vector<std::unique_ptr<Target>>;
  void take_out_all_but(const Targets& kept);
  std::vector<store::DeliveryTarget> wanted() const;

  store::WebhookStore& outbox_;
  store::DeliveryStore& deliveries_;
  DeliveryObserver* const observer_;
  Log& log_;
  mutable std::mutex mutex_;  ///< for what follows
  std::vector<store::DeliveryTarget> wanted_;
  Targets targets_;
};

}  // namespace verbatim::webhooks
