// Metrics of the program and its process, under the names of Prometheus' own process collector.
#pragma once

namespace verbatim::relay {

class MetricsPage;

/// Reads /proc/self. A value that cannot be read has no sample. Any thread.
void add_process_metrics(MetricsPage& page);

}  // namespace verbatim::relay
