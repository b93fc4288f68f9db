// Metrics of webhooks: a sample for each target.
#pragma once

#include <vector>

#include "server/webhooks/dispatcher.hpp"

namespace verbatim::webhooks {

void add_webhook_metrics(relay::MetricsPage& page, const std::vector<WebhookGauges>& targets);

}  // namespace verbatim::webhooks
