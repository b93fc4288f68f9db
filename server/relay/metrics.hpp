// The counters of workers and connections. Other owners (storage, webhooks, the feed, erasure) have
// counters of their own. A scrape adds the tallies up and does not delay sessions.
#pragma once

#include <cstddef>
#include <vector>

#include "server/net/connection_counts.hpp"
#include "server/relay/tally.hpp"

namespace verbatim::relay {

class MetricsPage;

class Metrics {
 public:
  explicit Metrics(std::size_t workers) : tallies_(workers) {}
  Tally& tally(std::size_t worker) { return tallies_[worker]; }
  net::ConnectionCounts& connection_counts() { return connections_; }

  /// Any thread.
  /// `live_sessions`: those that run or whose client may come back.
  /// `recovering_sessions`: those of a killed process whose client may come back.
  void add_metrics(MetricsPage& page, std::size_t live_sessions,
                   std::size_t recovering_sessions) const;

 private:
  std::vector<Tally> tallies_;
  net::ConnectionCounts connections_;
};

}  // namespace verbatim::relay
