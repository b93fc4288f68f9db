// The health of the shipping to a fleet's database, for admission, /readyz and metrics. The relay
// knows no more of a fleet than this.
//
// Any thread; no call waits for anything.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace verbatim::relay {

class MetricsPage;

/// Counts are since the start.
struct ShippingGauges {
  bool connected = false;
  bool fenced = false;
  double lag_seconds = 0;
  std::uint64_t backlog_bytes = 0;
  std::uint64_t backlog_events = 0;
  std::uint64_t batches = 0;
  std::uint64_t events = 0;
  std::uint64_t bytes = 0;
  std::uint64_t connects = 0;
  std::uint64_t failures = 0;
  std::vector<double> confirm_bounds;          ///< seconds
  std::vector<std::uint64_t> confirm_buckets;  ///< one more, without a bound
  double confirm_seconds = 0;
};

class ShippingHealth {
 public:
  virtual ~ShippingHealth() = default;
  /// Why new sessions are refused; empty: they are not.
  virtual std::string refusal() const = 0;
  /// A problem that refuses no session; empty: none.
  virtual std::string warning() const = 0;
  virtual ShippingGauges gauges() const = 0;
};

/// `shipping`: null without a fleet.
void add_shipping_metrics(MetricsPage& page, const ShippingHealth* shipping);

}  // namespace verbatim::relay
