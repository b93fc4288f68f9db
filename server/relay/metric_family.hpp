// A metric as a row of its owner's table: name, help, type, and how its samples are read. A scrape
// makes a page, and each owner adds its table to it, with the values that the rows read.
//
//   const MetricFamily<Gauges> rows[] = {
//       {"verbatim_draining", "1 while the server shuts down.", MetricType::gauge,
//        [](const Gauges& now, MetricSamples& out) { out.add(now.draining); }},
//   };
#pragma once

#include <prometheus/metric_family.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace verbatim::relay {

enum class MetricType : std::uint8_t { counter, gauge, histogram };

/// Names and values. They are read before the call returns.
using MetricLabels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

/// The samples of one family.
class MetricSamples {
 public:
  explicit MetricSamples(prometheus::MetricFamily& to) : to_(to) {}

  /// The value of a family without labels.
  template <class Value>
  void add(Value value) {
    add({}, value);
  }
  template <class Value>
  void add(MetricLabels labels, Value value) {
    put(labels, static_cast<double>(value));
  }
  /// `bounds`: upper bounds of all buckets but the last, which is +Inf. `counts`: of each bucket by
  /// itself, not cumulative.
  void add_histogram(MetricLabels labels, const std::vector<double>& bounds,
                     const std::vector<std::uint64_t>& counts, double sum);

 private:
  void put(MetricLabels labels, double value);

  prometheus::MetricFamily& to_;
};

template <class Source>
struct MetricFamily {
  const char* name;
  const char* help;
  MetricType type;
  void (*read)(const Source& source, MetricSamples& out);
};

/// The metrics in the response to one scrape. One thread.
class MetricsPage {
 public:
  template <class Source, std::size_t N>
  void add(const MetricFamily<Source> (&rows)[N], const Source& source) {
    for (const MetricFamily<Source>& row : rows) {
      MetricSamples samples(begin(row.name, row.help, row.type));
      row.read(source, samples);
    }
  }
  /// In Prometheus' text format.
  std::string text() const;

 private:
  prometheus::MetricFamily& begin(const char* name, const char* help, MetricType type);

  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace verbatim::relay
