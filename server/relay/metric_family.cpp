#include "server/relay/metric_family.hpp"

#include <prometheus/text_serializer.h>

#include <limits>

namespace verbatim::relay {

namespace {

prometheus::MetricType prometheus_type(MetricType type) {
  switch (type) {
    case MetricType::counter:
      return prometheus::MetricType::Counter;
    case MetricType::gauge:
      return prometheus::MetricType::Gauge;
    case MetricType::histogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

prometheus::ClientMetric labelled(MetricLabels labels) {
  prometheus::ClientMetric metric;
  metric.label.reserve(labels.size());
  for (const auto& [name, value] : labels) {
    prometheus::ClientMetric::Label label;
    label.name = name;
    label.value = value;
    metric.label.push_back(std::move(label));
  }
  return metric;
}

}  // namespace

void MetricSamples::put(MetricLabels labels, double value) {
  prometheus::ClientMetric metric = labelled(labels);
  if (to_.type == prometheus::MetricType::Counter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
  to_.metric.push_back(std::move(metric));
}

void MetricSamples::add_histogram(MetricLabels labels, const std::vector<double>& bounds,
                                  const std::vector<std::uint64_t>& counts, double sum) {
  prometheus::ClientMetric metric = labelled(labels);
  std::uint64_t cumulative = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    cumulative += counts[i];
    prometheus::ClientMetric::Bucket bucket;
    bucket.cumulative_count = cumulative;
    bucket.upper_bound = i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity();
    metric.histogram.bucket.push_back(bucket);
  }
  metric.histogram.sample_count = cumulative;
  metric.histogram.sample_sum = sum;
  to_.metric.push_back(std::move(metric));
}

prometheus::MetricFamily& MetricsPage::begin(const char* name, const char* help, MetricType type) {
  prometheus::MetricFamily& family = families_.emplace_back();
  family.name = name;
  family.help = help;
  family.type = prometheus_type(type);
  return family;
}

std::string MetricsPage::text() const { return prometheus::TextSerializer().Serialize(families_); }

}  // namespace verbatim::relay
