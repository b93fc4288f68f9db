#include "server/traces/tracer.hpp"

#include <algorithm>
#include <utility>

#include "base/crypto.hpp"
#include "base/json/view.hpp"
#include "base/url.hpp"
#include "server/net/tls.hpp"
#include "server/relay/metric_family.hpp"
#include "server/traces/span_names.hpp"
#include "server/traces/trace_context.hpp"

namespace verbatim::traces {

namespace {

/// Sessions that a recovery's span lists.
constexpr std::size_t listed_max = 100;

/// The conventions' name for the provider behind an address. Others speak OpenAI's protocol, and
/// the conventions then ask for its name; server.address shows which one it is.
std::string provider_at(const std::string& host) {
  if (host.ends_with(".azure.com")) return "azure.ai.openai";
  if (host.ends_with(".x.ai")) return "x_ai";
  return "openai";
}

TraceFacts facts_of(const config::Trace& settings, const std::string& upstream_url) {
  TraceFacts facts;
  if (const auto address = parse_address(upstream_url)) {
    facts.server_address = address->host;
    facts.server_port = std::atoi(address->port.c_str());
  }
  facts.provider = provider_at(facts.server_address);
  facts.journal_slow = settings.journal_slow;
  return facts;
}

constexpr relay::MetricFamily<TraceGauges> trace_rows[] = {
    {"verbatim_trace_spans_total",
     "Spans of traces by outcome: exported, rejected by the collector, failed after the last try, "
     "or dropped because the queue was full.",
     relay::MetricType::counter,
     [](const TraceGauges& now, relay::MetricSamples& out) {
       out.add({{"outcome", "exported"}}, now.exported);
       out.add({{"outcome", "rejected"}}, now.rejected);
       out.add({{"outcome", "failed"}}, now.failed);
       out.add({{"outcome", "dropped"}}, now.dropped);
     }},
    {"verbatim_trace_spans_waiting", "Spans of traces that wait for the collector.",
     relay::MetricType::gauge,
     [](const TraceGauges& now, relay::MetricSamples& out) { out.add(now.waiting); }},
};

}  // namespace

void require_authorities(const config::Trace& settings) {
  if (settings.ca_file.empty()) return;
  try {
    net::client_context(settings.ca_file);
  } catch (const config::ConfigError&) {
    throw config::ConfigError("trace.ca_file " + settings.ca_file.string() +
                              " cannot be used: it has no certificate that can be read");
  }
}

struct Tracer::Setup {
  bool on = false;
  double sampling = 0;
  std::string collector;  ///< for the log
  std::shared_ptr<const TraceFacts> facts;
  std::shared_ptr<Exporter::Setup> exporter;
};

std::shared_ptr<const Tracer::Setup> Tracer::setup(const config::Trace& settings,
                                                   const std::string& upstream_url) {
  auto made = std::make_shared<Setup>();
  made->on = !settings.otlp_url.empty();
  made->exporter = Exporter::setup(settings);
  if (!made->on) return made;
  require_authorities(settings);
  made->sampling = settings.sampling;
  made->collector = shown_address(settings.otlp_url);
  made->facts = std::make_shared<const TraceFacts>(facts_of(settings, upstream_url));
  return made;
}

Tracer::Tracer(Log& log) : log_(log), setup_(std::make_shared<const Setup>()), exporter_(log) {}

Tracer::~Tracer() = default;

void Tracer::use(std::shared_ptr<const Setup> setup) {
  const bool was_on = on();
  if (was_on || setup->on) exporter_.use(setup->exporter);
  setup_.set(setup);
  if (setup->on)
    log_.info("trace.on", {{"collector", setup->collector}, {"sampling", setup->sampling}});
  else if (was_on)
    log_.info("trace.off");
}

bool Tracer::on() const { return setup_.get()->on; }

namespace {

/// The trace that a conversation joins or begins.
SpanContext context_of(const relay::ObservedConversation& conversation, double sampling) {
  // The back end's value, in the token's metadata, takes precedence over the client's.
  const std::string of_token =
      json::View::of(conversation.metadata_json)["traceparent"].string_or_empty();
  if (const auto parent = read_traceparent(of_token)) return *parent;
  if (const auto parent = read_traceparent(conversation.traceparent)) return *parent;
  SpanContext own;
  own.trace = trace_of_attempt(conversation.session_id, conversation.attempt_number,
                               conversation.attempt_started_at);
  own.sampled = is_within(own.trace, sampling);
  return own;
}

}  // namespace

std::shared_ptr<relay::ConversationObserver> Tracer::observe(
    const relay::ObservedConversation& conversation) {
  const auto setup = setup_.get();
  if (!setup->on) return nullptr;
  const SpanContext context = context_of(conversation, setup->sampling);
  if (!context.sampled) return nullptr;
  auto trace =
      std::make_shared<ConversationTrace>(conversation, context, setup->facts, exporter_.queue());
  recent_.note(conversation.session_id, conversation.attempt_number,
               {context.trace, trace->root(), true});
  return trace;
}

std::string Tracer::begin_call(const store::WebhookMessage& message) {
  if (!on()) return {};
  const auto context = recent_.new_child(message.session_id, message.attempt);
  return context ? traceparent(*context) : std::string();
}

void Tracer::end_call(const store::WebhookMessage& message, std::string_view traceparent,
                      const webhooks::CallReport& report) {
  const auto context = read_traceparent(traceparent);
  if (!context) return;
  const bool delivered = report.state == store::DeliveryState::delivered;
  Span span;
  span.trace = context->trace;
  span.id = context->span;
  span.parent = recent_.root_of(message.session_id, message.attempt);
  span.name = names::webhook_delivery;
  span.kind = SpanKind::client;
  span.start_us = report.called_at * 1000;
  span.end_us = span.start_us + std::chrono::microseconds(report.took).count();
  span.failed = !delivered;
  span.attributes = {{names::conversation_id, message.session_id},
                     {names::attempt, std::int64_t{message.attempt}},
                     {names::webhook, report.target},
                     {names::event_type, store::to_string(message.kind)},
                     {names::tries, std::int64_t{message.tries + 1}},
                     {names::outcome, delivered ? "delivered" : store::to_string(report.state)}};
  if (report.status != 0)
    span.attributes.emplace_back(names::http_status, std::int64_t{report.status});
  if (!delivered)
    span.attributes.emplace_back(names::error_type, report.status != 0
                                                        ? std::to_string(report.status)
                                                        : std::string("no_answer"));
  exporter_.queue().push(std::move(span));
}

void Tracer::recovered(const RecoveryFacts& facts) {
  if (!on()) return;
  SpanIds ids;
  Span span;
  const std::string trace = random_bytes(span.trace.size());
  std::copy(trace.begin(), trace.end(), span.trace.begin());
  span.id = ids.next();
  span.name = names::recovery;
  span.start_us = wall_us(facts.began);
  span.end_us = end_after(facts.began, facts.ended);
  std::int64_t events = 0;
  for (const RecoveryFacts::Session& session : facts.sessions) {
    events += session.events;
    if (span.events.size() >= listed_max) continue;
    span.events.push_back({names::session_recovered,
                           span.end_us,
                           {{names::conversation_id, session.id},
                            {names::attempt, std::int64_t{session.attempt}},
                            {names::events, session.events},
                            {names::turns, session.turns}}});
  }
  span.attributes = {{names::clean, facts.clean},
                     {names::sessions, static_cast<std::int64_t>(facts.sessions.size())},
                     {names::suspended, facts.suspended},
                     {names::recovering, facts.recovering},
                     {names::events, events},
                     {names::unreadable_rows, facts.unreadable_rows}};
  exporter_.queue().push(std::move(span));
}

void Tracer::add_metrics(relay::MetricsPage& page) const {
  page.add(trace_rows, exporter_.gauges());
}

}  // namespace verbatim::traces
