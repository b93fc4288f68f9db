// Metrics of the connections and of the memory that HTTP and large messages share: what server/net
// counts. That room knows nothing of metrics.
#pragma once

#include "server/net/answer_memory.hpp"
#include "server/net/body_memory.hpp"
#include "server/net/connection_counts.hpp"
#include "server/net/large_messages.hpp"

namespace verbatim::server {

class MetricsPage;

void add_connection_metrics(MetricsPage& page, const ConnectionCounts& counts);
void add_memory_metrics(MetricsPage& page, const LargeMessages::Counts& large_messages,
                        const BodyMemory::Counts& bodies, const AnswerMemory::Counts& answers);

}  // namespace verbatim::server
