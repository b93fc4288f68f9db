// The W3C trace context: reads and writes `traceparent`, makes ids, and decides what is sampled.
//
// Pure, but SpanIds reads random bytes once; any thread, but one thread for each SpanIds. Source:
// https://www.w3.org/TR/trace-context/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/traces/span.hpp"

namespace verbatim::traces {

/// nullopt: it is malformed, and a new trace begins.
std::optional<SpanContext> read_traceparent(std::string_view header);
std::string traceparent(const SpanContext& context);

/// The trace of an attempt that came without one. Another process that continues the attempt gets
/// the same, without having to store it.
TraceId trace_of_attempt(std::string_view session_id, int attempt, TimeMs started_at);

/// Whether a trace is within the sampled ratio (0 to 1). The answer depends on the id alone, so all
/// that see the trace agree.
bool is_within(const TraceId& trace, double ratio);

/// Makes span ids: random, not secret.
class SpanIds {
 public:
  SpanIds();
  SpanId next();

 private:
  std::uint64_t state_;
};

}  // namespace verbatim::traces
