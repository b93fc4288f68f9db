#include "server/webhooks/webhook_metrics.hpp"

#include <iterator>

#include "server/relay/metric_family.hpp"

namespace verbatim::webhooks {

namespace {

using Targets = std::vector<WebhookGauges>;

constexpr relay::MetricFamily<Targets> webhook_rows[] = {
    {"verbatim_webhook_calls_total",
     "Webhook calls by target and result; dead counts messages that are not sent again.",
     relay::MetricType::counter,
     [](const Targets& targets, relay::MetricSamples& out) {
       for (const WebhookGauges& one : targets) {
         out.add({{"target", one.target}, {"result", "delivered"}}, one.delivered);
         out.add({{"target", one.target}, {"result", "failed"}}, one.failed);
         out.add({{"target", one.target}, {"result", "dead"}}, one.dead);
       }
     }},
    {"verbatim_webhook_call_seconds",
     "Duration of webhook calls, from the name lookup to the end of the answer.",
     relay::MetricType::histogram,
     [](const Targets& targets, relay::MetricSamples& out) {
       const std::vector<double> bounds(std::begin(call_seconds_bounds),
                                        std::end(call_seconds_bounds));
       for (const WebhookGauges& one : targets)
         out.add_histogram({{"target", one.target}}, bounds, {one.calls.begin(), one.calls.end()},
                           one.call_seconds);
     }},
    {"verbatim_webhook_messages",
     "Webhook messages: waiting to be delivered, or dead (not sent again).",
     relay::MetricType::gauge,
     [](const Targets& targets, relay::MetricSamples& out) {
       for (const WebhookGauges& one : targets) {
         out.add({{"target", one.target}, {"state", "waiting"}}, one.waiting);
         out.add({{"target", one.target}, {"state", "dead"}}, one.dead_letters);
       }
     }},
    {"verbatim_webhook_oldest_seconds",
     "Age of the oldest webhook message that waits to be delivered.", relay::MetricType::gauge,
     [](const Targets& targets, relay::MetricSamples& out) {
       for (const WebhookGauges& one : targets)
         out.add({{"target", one.target}}, one.oldest_seconds);
     }},
};

}  // namespace

void add_webhook_metrics(relay::MetricsPage& page, const Targets& targets) {
  page.add(webhook_rows, targets);
}

}  // namespace verbatim::webhooks
