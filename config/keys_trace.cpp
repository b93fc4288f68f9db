// Declares the settings of traces.
#include "config/declare.hpp"
#include "config/otlp_headers.hpp"

namespace verbatim::config {

using namespace std::chrono_literals;
using S = Settings;

namespace {

/// Refuses at start a secret that is not a list of headers.
Key of_headers(Key key) {
  key.read = [read = std::move(key.read)](Settings& settings, const Value& value, Source source) {
    read(settings, value, source);
    parse_otlp_headers(settings.trace.otlp_headers.reveal());
  };
  return key;
}

}  // namespace

std::vector<Key> make_trace_keys() {
  std::vector<Key> table{
      key("trace.otlp_url", &S::trace, &Trace::otlp_url, {}, collector_url(),
          "The OpenTelemetry collector that gets traces, by OTLP over HTTP in JSON. Empty: no "
          "traces. /v1/traces is added unless the path ends with it, as for "
          "OTEL_EXPORTER_OTLP_ENDPOINT. No span has a word of what is said: docs/tracing.md.",
          live),
      key("trace.ca_file", &S::trace, &Trace::ca_file, {}, path("a PEM file, or nothing"),
          "The authorities that sign the collector's certificate. Empty: the system's.", live),
      key("trace.sampling", &S::trace, &Trace::sampling, 1.0, ratio(),
          "The share of the conversations that is traced. A conversation that comes with a "
          "traceparent follows the traceparent's sampled flag instead.",
          live),
      key("trace.service_name", &S::trace, &Trace::service_name, "verbatim",
          name("a name of up to 256 bytes"),
          "The service.name of all spans, which collectors group by.", live),
      key("trace.journal_slow", &S::trace, &Trace::journal_slow, 50ms, duration(1ms, 1min),
          "A wait for the disk that is at least this long gets a span of its own, so that a slow "
          "disk shows inside the answer that it delayed.",
          live),
      key("trace.queue_max", &S::trace, &Trace::queue_max, 8192, number<std::size_t>(1, 1'000'000),
          "Spans that wait for the collector, about 1 KiB each. Beyond it spans are dropped and "
          "counted; conversations never wait.",
          live),
      key("trace.batch_max", &S::trace, &Trace::batch_max, 512, number<std::size_t>(1, 10'000),
          "Spans in a request. A full batch is sent at once.", live),
      key("trace.batch_interval", &S::trace, &Trace::batch_interval, 5s, duration(100ms, 5min),
          "A batch that is not full is sent after this time.", live),
      key("trace.timeout", &S::trace, &Trace::timeout, 10s, duration(100ms, 5min),
          "Time for one request, from the name lookup to the end of the answer.", live),
      key("trace.tries_max", &S::trace, &Trace::tries_max, 5, number<std::size_t>(1, 1000),
          "After this many tries a batch is given up and counted. Only what OTLP names is tried "
          "again: no answer, 429, 502, 503 and 504.",
          live),
      key("trace.retry_min", &S::trace, &Trace::retry_min, 1s, duration(10ms, 1h),
          "The pause before the second try, unless the collector sends Retry-After. It doubles "
          "with each further one, with random spread.",
          live),
      key("trace.retry_max", &S::trace, &Trace::retry_max, 30s, duration(10ms, 1h),
          "The longest of these pauses.", live),
      key("trace.shutdown_timeout", &S::trace, &Trace::shutdown_timeout, 1s, duration(0s, 30s),
          "When the relay stops, time to send the spans that are left.", live),
  };
  add_secret(table, "trace.otlp_headers", &S::trace, &Trace::otlp_headers,
             "/run/secrets/otlp-headers",
             "Headers for a collector that requires a key, as OTEL_EXPORTER_OTLP_HEADERS has them: "
             "Authorization=Bearer%20KEY or x-api-key=KEY,x-other=VALUE.",
             live);
  for (Key& key : table)
    if (key.role != Role::plain) key = of_headers(std::move(key));
  return table;
}

}  // namespace verbatim::config
