#include "server/relay/metric_family.hpp"
#include "server/relay/peers.hpp"

namespace verbatim::relay {

namespace {

constexpr MetricFamily<PeerGauges> peer_rows[] = {
    {"verbatim_fleet_proxied",
     "Current WebSockets and long answers of clients whose session is on another relay.",
     MetricType::gauge, [](const PeerGauges& now, MetricSamples& out) { out.add(now.carried); }},
    {"verbatim_fleet_proxied_total",
     "Requests of clients that were passed on to another relay. websocket: it runs the "
     "conversation; answer: any other answer; unreachable: there was none, and the client got 503.",
     MetricType::counter,
     [](const PeerGauges& now, MetricSamples& out) {
       out.add({{"outcome", "websocket"}}, now.websockets);
       out.add({{"outcome", "answer"}}, now.answers);
       out.add({{"outcome", "unreachable"}}, now.unreachable);
     }},
    {"verbatim_fleet_strangers_total",
     "Requests in the name of another relay whose token is not valid here. They got 404.",
     MetricType::counter,
     [](const PeerGauges& now, MetricSamples& out) { out.add(now.strangers); }},
};

}  // namespace

void add_peer_metrics(MetricsPage& page, const Peers* peers) {
  page.add(peer_rows, peers != nullptr ? peers->gauges() : PeerGauges());
}

}  // namespace verbatim::relay
