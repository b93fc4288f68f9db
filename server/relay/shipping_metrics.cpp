// Metrics of the shipping to a fleet's database.
#include "server/relay/metric_family.hpp"
#include "server/relay/shipping_health.hpp"

namespace verbatim::relay {

namespace {

using Out = MetricSamples;

constexpr MetricFamily<ShippingGauges> shipping_rows[] = {
    {"verbatim_fleet_connected", "1 while the fleet's database can be reached.", MetricType::gauge,
     [](const ShippingGauges& now, Out& out) { out.add(now.connected); }},
    {"verbatim_fleet_fenced", "1 once a newer process with the same node_id has registered.",
     MetricType::gauge, [](const ShippingGauges& now, Out& out) { out.add(now.fenced); }},
    {"verbatim_fleet_lag_seconds", "Age of the oldest event that the fleet's database lacks.",
     MetricType::gauge, [](const ShippingGauges& now, Out& out) { out.add(now.lag_seconds); }},
    {"verbatim_fleet_backlog_bytes", "Bytes of events that wait for the fleet's database.",
     MetricType::gauge, [](const ShippingGauges& now, Out& out) { out.add(now.backlog_bytes); }},
    {"verbatim_fleet_backlog_events", "Events that wait for the fleet's database.",
     MetricType::gauge, [](const ShippingGauges& now, Out& out) { out.add(now.backlog_events); }},
    {"verbatim_fleet_confirm_seconds",
     "Time from the oldest event of a batch to its confirmation by the fleet's database.",
     MetricType::histogram,
     [](const ShippingGauges& now, Out& out) {
       out.add_histogram({}, now.confirm_bounds, now.confirm_buckets, now.confirm_seconds);
     }},
    {"verbatim_fleet_batches_total", "Batches that the fleet's database has confirmed.",
     MetricType::counter, [](const ShippingGauges& now, Out& out) { out.add(now.batches); }},
    {"verbatim_fleet_events_total", "Events that the fleet's database has confirmed.",
     MetricType::counter, [](const ShippingGauges& now, Out& out) { out.add(now.events); }},
    {"verbatim_fleet_bytes_total", "Bytes that the fleet's database has confirmed.",
     MetricType::counter, [](const ShippingGauges& now, Out& out) { out.add(now.bytes); }},
    {"verbatim_fleet_connects_total", "Connections to the fleet's database that were made.",
     MetricType::counter, [](const ShippingGauges& now, Out& out) { out.add(now.connects); }},
    {"verbatim_fleet_failures_total",
     "Connections to the fleet's database that failed or were lost.", MetricType::counter,
     [](const ShippingGauges& now, Out& out) { out.add(now.failures); }},
};

}  // namespace

void add_shipping_metrics(MetricsPage& page, const ShippingHealth* shipping) {
  ShippingGauges now;
  now.confirm_buckets.assign(1, 0);
  if (shipping != nullptr) now = shipping->gauges();
  page.add(shipping_rows, now);
}

}  // namespace verbatim::relay
