#include "server/relay/http_metrics.hpp"

#include <array>

#include "server/relay/metric_family.hpp"

namespace verbatim::relay {

namespace {

constexpr std::array<const char*, net::connection_refusals> refusal_names = {
    "connections_max", "descriptors", "connections_per_address"};
static_assert(refusal_names.back(), "each ConnectionRefusal has a name");

constexpr MetricFamily<net::ConnectionCounts> connection_rows[] = {
    {"verbatim_connections_refused_total",
     "Connections closed or refused before HTTP, by the limit that was reached.",
     MetricType::counter,
     [](const net::ConnectionCounts& counts, MetricSamples& out) {
       for (std::size_t why = 0; why < refusal_names.size(); ++why)
         out.add({{"why", refusal_names[why]}}, counts.refused[why].load());
     }},
    {"verbatim_idle_connections_closed_total",
     "Idle HTTP connections closed to make room for a new connection.", MetricType::counter,
     [](const net::ConnectionCounts& counts, MetricSamples& out) {
       out.add(counts.closed_idle.load());
     }},
    {"verbatim_tls_handshakes_failed_total",
     "Connections whose TLS handshake failed or took too long.", MetricType::counter,
     [](const net::ConnectionCounts& counts, MetricSamples& out) {
       out.add(counts.handshakes_failed.load());
     }},
};

constexpr MetricFamily<net::LargeMessages::Counts> large_message_rows[] = {
    {"verbatim_large_message_bytes",
     "Memory of large messages (server.large_message_bytes). moving: being received or waiting to "
     "be sent; kept: retained to be sent again.",
     MetricType::gauge,
     [](const net::LargeMessages::Counts& counts, MetricSamples& out) {
       out.add({{"part", "moving"}}, counts.moving);
       out.add({{"part", "kept"}}, counts.kept);
     }},
    {"verbatim_large_messages_waiting",
     "Connections whose next large message waits until memory for it is free.", MetricType::gauge,
     [](const net::LargeMessages::Counts& counts, MetricSamples& out) { out.add(counts.waiting); }},
    {"verbatim_large_message_waits_total", "Times that a large message had to wait for memory.",
     MetricType::counter,
     [](const net::LargeMessages::Counts& counts, MetricSamples& out) { out.add(counts.waits); }},
};

constexpr MetricFamily<net::BodyMemory::Counts> body_rows[] = {
    {"verbatim_request_body_bytes",
     "Memory that HTTP request bodies use beyond the first 16 KiB of each.", MetricType::gauge,
     [](const net::BodyMemory::Counts& counts, MetricSamples& out) { out.add(counts.held); }},
    {"verbatim_request_bodies_refused_total",
     "Requests refused because server.bodies_bytes_max was reached.", MetricType::counter,
     [](const net::BodyMemory::Counts& counts, MetricSamples& out) { out.add(counts.refused); }},
};

constexpr MetricFamily<net::AnswerMemory::Counts> answer_rows[] = {
    {"verbatim_answer_bytes", "Memory that unread HTTP answers larger than 64 KiB use.",
     MetricType::gauge,
     [](const net::AnswerMemory::Counts& counts, MetricSamples& out) { out.add(counts.held); }},
    {"verbatim_answers_refused_total",
     "Answers refused because server.answers_bytes_max was reached.", MetricType::counter,
     [](const net::AnswerMemory::Counts& counts, MetricSamples& out) { out.add(counts.refused); }},
};

}  // namespace

void add_connection_metrics(MetricsPage& page, const net::ConnectionCounts& counts) {
  page.add(connection_rows, counts);
}

void add_memory_metrics(MetricsPage& page, const net::LargeMessages::Counts& large_messages,
                        const net::BodyMemory::Counts& bodies,
                        const net::AnswerMemory::Counts& answers) {
  page.add(large_message_rows, large_messages);
  page.add(body_rows, bodies);
  page.add(answer_rows, answers);
}

}  // namespace verbatim::relay
