#include "server/webhooks/kinds.hpp"

#include <algorithm>

namespace verbatim::webhooks {

namespace {

using store::WebhookKind;

bool is_wanted(const config::WebhookTarget& target, WebhookKind kind) {
  if (target.events.empty()) return kind != WebhookKind::turn_completed;
  return std::find(target.events.begin(), target.events.end(), store::to_string(kind)) !=
         target.events.end();
}

}  // namespace

unsigned kinds_wanted_by(const config::WebhookTarget& target) {
  unsigned kinds = 0;
  for (unsigned kind = 0; kind <= static_cast<unsigned>(WebhookKind::turn_completed); ++kind)
    if (is_wanted(target, static_cast<WebhookKind>(kind))) kinds |= 1u << kind;
  return kinds;
}

std::vector<store::DeliveryTarget> delivery_targets(const config::Webhook& settings) {
  std::vector<store::DeliveryTarget> targets;
  for (const auto& target : settings.targets)
    targets.push_back({target.name, kinds_wanted_by(target)});
  return targets;
}

}  // namespace verbatim::webhooks
