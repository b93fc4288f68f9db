// The kinds of messages that the targets of the configuration want. Pure; any thread.
#pragma once

#include <vector>

#include "config/settings.hpp"
#include "storage/store/delivery_store.hpp"

namespace verbatim::webhooks {

/// One bit for each kind.
unsigned kinds_wanted_by(const config::WebhookTarget& target);

std::vector<store::DeliveryTarget> delivery_targets(const config::Webhook& settings);

}  // namespace verbatim::webhooks
