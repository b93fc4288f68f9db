#include "server/webhooks/dispatcher.hpp"

#include <algorithm>
#include <utility>

#include "server/webhooks/kinds.hpp"
#include "server/webhooks/webhook_metrics.hpp"
#include "storage/store/store.hpp"

namespace verbatim::webhooks {

namespace {

template <class Targets>
auto find_named(Targets& targets, const std::string& name) {
  return std::find_if(targets.begin(), targets.end(),
                      [&](const auto& one) { return one && one->name() == name; });
}

}  // namespace

class Webhooks::Fresh {
 public:
  std::vector<store::DeliveryTarget> wanted;
  Targets targets;
};

Webhooks::Webhooks(const config::Webhook& settings, store::Store& store, DeliveryObserver* observer,
                   Log& log)
    : outbox_(store), deliveries_(store), observer_(observer), log_(log) {
  use(prepare(settings));
}

Webhooks::~Webhooks() = default;

void Webhooks::announce() {
  unsigned kinds = 0;
  for (const store::DeliveryTarget& target : wanted()) kinds |= target.wanted;
  outbox_.want_messages(kinds, [&log = log_](const store::StoreResult<>& outcome) {
    if (!outcome) log.error("webhook.not_announced", {{"why", outcome.error().what()}});
  });
}

std::shared_ptr<Webhooks::Fresh> Webhooks::prepare(const config::Webhook& settings) const {
  const auto shared = std::make_shared<const config::Webhook>(settings);
  auto fresh = std::make_shared<Fresh>();
  fresh->wanted = delivery_targets(settings);
  for (const auto& target : settings.targets)
    fresh->targets.push_back(std::make_unique<Target>(target, shared, outbox_, observer_, log_));
  return fresh;
}

void Webhooks::use(const std::shared_ptr<Fresh>& fresh) {
  // Take the removed targets out first: no message then waits for one of them.
  take_out_all_but(fresh->targets);
  {
    const std::lock_guard lock(mutex_);
    wanted_ = fresh->wanted;
    auto before = std::exchange(targets_, {});
    for (auto& target : fresh->targets) {
      const auto same = find_named(before, target->name());
      target->start(same == before.end() ? nullptr : std::move(*same));
      targets_.push_back(std::move(target));
    }
  }
  announce();
}

void Webhooks::take_out_all_but(const Targets& kept) {
  Targets removed;  // they end without the lock
  const std::lock_guard lock(mutex_);
  const auto first = std::stable_partition(targets_.begin(), targets_.end(), [&](const auto& one) {
    return find_named(kept, one->name()) != kept.end();
  });
  removed.assign(std::make_move_iterator(first), std::make_move_iterator(targets_.end()));
  targets_.erase(first, targets_.end());
}

void Webhooks::set_secrets(const config::Webhook& settings) {
  for (const auto& target : targets_)
    for (const auto& fresh : settings.targets)
      if (fresh.name == target->name()) target->set_secret(fresh.secret);
}

std::vector<store::DeliveryTarget> Webhooks::wanted() const {
  const std::lock_guard lock(mutex_);
  return wanted_;
}

void Webhooks::add_metrics(relay::MetricsPage& page) const {
  std::vector<WebhookGauges> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& target : targets_) all.push_back(target->gauges());
  }
  add_webhook_metrics(page, all);
}

void Webhooks::list_deliveries(store::DeliveryFilter filter, store::ReadLabel label,
                               store::Done<store::DeliveryPage> done) const {
  deliveries_.list_deliveries(std::move(filter), wanted(), std::move(label), std::move(done));
}

void Webhooks::retry_delivery(std::string id, store::Done<store::RetriedDelivery> done) const {
  deliveries_.retry_delivery(std::move(id), wanted(), std::move(done));
}

}  // namespace verbatim::webhooks
