// Metrics of webhooks: a sample for each target.
#pragma once

#include <vector>

#include "server/webhooks/webhook_gauges.hpp"

namespace verbatim::relay {
class MetricsPage;
}  // namespace verbatim::relay

namespace verbatim::webhooks {

void add_webhook_metrics(relay::MetricsPage& page, const std::vector<WebhookGauges>& targets);

}  // namespace verbatim::webhooks
