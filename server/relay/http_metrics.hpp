// Metrics of the connections and of the memory that HTTP and large messages share. server/net
// counts them, but does not depend on metrics.
#pragma once

#include "server/net/answer_memory.hpp"
#include "server/net/body_memory.hpp"
#include "server/net/connection_counts.hpp"
#include "server/net/large_messages.hpp"
#include "server/net/request_counts.hpp"

namespace verbatim::relay {

class MetricsPage;

void add_connection_metrics(MetricsPage& page, const net::ConnectionCounts& counts);
void add_request_metrics(MetricsPage& page, const net::RequestCounts& counts);
void add_memory_metrics(MetricsPage& page, const net::LargeMessages::Counts& large_messages,
                        const net::BodyMemory::Counts& bodies,
                        const net::AnswerMemory::Counts& answers);

}  // namespace verbatim::relay
