#include "server/webhooks/dispatcher.hpp"

#include <utility>

#include "server/webhooks/kinds.hpp"
#include "server/webhooks/webhook_metrics.hpp"
#include "storage/store/store.hpp"

namespace verbatim::webhooks {

Webhooks::Webhooks(const config::Webhook& settings, store::Store& store, DeliveryObserver* observer,
                   Log& log)
    : outbox_(store), deliveries_(store), log_(log), wanted_(delivery_targets(settings)) {
  announce();
  for (const auto& target : settings.targets)
    targets_.push_back(std::make_unique<Target>(target, settings, outbox_, observer, log));
}

Webhooks::~Webhooks() = default;

void Webhooks::announce() {
  unsigned kinds = 0;
  for (const store::DeliveryTarget& target : wanted_) kinds |= target.wanted;
  outbox_.want_messages(kinds, [&log = log_](const store::StoreResult<>& outcome) {
    if (!outcome) log.error("webhook.not_announced", {{"why", outcome.error().what()}});
  });
}

void Webhooks::reload(const config::Webhook& settings) {
  for (const auto& target : targets_)
    for (const auto& fresh : settings.targets)
      if (fresh.name == target->name()) target->set_secret(fresh.secret);
}

void Webhooks::add_metrics(relay::MetricsPage& page) const {
  std::vector<WebhookGauges> all;
  for (const auto& target : targets_) all.push_back(target->gauges());
  add_webhook_metrics(page, all);
}

void Webhooks::list_deliveries(store::DeliveryFilter filter, store::ReadLabel label,
                               store::Done<store::DeliveryPage> done) const {
  deliveries_.list_deliveries(std::move(filter), wanted_, std::move(label), std::move(done));
}

void Webhooks::retry_delivery(std::string id, store::Done<store::RetriedDelivery> done) const {
  deliveries_.retry_delivery(std::move(id), wanted_, std::move(done));
}

}  // namespace verbatim::webhooks
