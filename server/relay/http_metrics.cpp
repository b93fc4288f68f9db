#include "server/relay/http_metrics.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "server/relay/metric_family.hpp"

namespace verbatim::relay {

namespace {

constexpr std::array<const char*, net::connection_refusals> refusal_names = {
    "connections_max", "descriptors", "connections_per_address"};
static_assert(refusal_names.back(), "each ConnectionRefusal has a name");

void read_connections(const net::ConnectionCounts& counts, MetricSamples& out) {
  // Read one after the other while connections come and go: a difference may be off by a few.
  const std::int64_t idle = counts.idle.load();
  const std::int64_t websockets = counts.websockets.load();
  out.add({{"state", "idle"}}, idle);
  out.add({{"state", "active"}}, std::max<std::int64_t>(counts.open.load() - idle - websockets, 0));
  out.add({{"state", "websocket"}}, websockets);
}

constexpr MetricFamily<net::RequestCounts> request_rows[] = {
    {"verbatim_http_requests_total",
     "Answered HTTP requests, by the pattern of the path and the status. A WebSocket has status "
     "101, a refused upgrade the status of the refusal.",
     MetricType::counter,
     [](const net::RequestCounts& counts, MetricSamples& out) {
       counts.visit([&out](std::string_view route, const std::string& status, std::uint64_t count) {
         out.add({{"route", route}, {"status", status}}, count);
       });
     }},
};

constexpr MetricFamily<net::ConnectionCounts> connection_rows[] = {
    {"verbatim_connections",
     "Current connections of clients. idle: wait for a request; active: TLS handshake or a "
     "request; websocket: conversations and upgrades.",
     MetricType::gauge, read_connections},
    {"verbatim_tls_certificate_expiry_timestamp_seconds",
     "Unix time at which the relay's certificate expires. There is no sample without TLS.",
     MetricType::gauge,
     [](const net::ConnectionCounts& counts, MetricSamples& out) {
       if (const auto expires = counts.certificate_expires_s.load()) out.add(expires);
     }},
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

void add_request_metrics(MetricsPage& page, const net::RequestCounts& counts) {
  page.add(request_rows, counts);
}

void add_memory_metrics(MetricsPage& page, const net::LargeMessages::Counts& large_messages,
                        const net::BodyMemory::Counts& bodies,
                        const net::AnswerMemory::Counts& answers) {
  page.add(large_message_rows, large_messages);
  page.add(body_rows, bodies);
  page.add(answer_rows, answers);
}

}  // namespace verbatim::relay
