// Calls of an operator's machines: health, readiness, metrics, version, configuration.

#include "base/json/tree.hpp"
#include "config/settings.hpp"
#include "server/api/handler.hpp"
#include "server/api/live_feed.hpp"
#include "server/api/openapi.hpp"
#include "server/api/readiness.hpp"
#include "server/api/responses.hpp"
#include "server/bucket/uploads.hpp"
#include "server/net/answer_memory.hpp"
#include "server/net/body_memory.hpp"
#include "server/net/large_messages.hpp"
#include "server/relay/http_metrics.hpp"
#include "server/relay/metric_family.hpp"
#include "server/relay/metrics.hpp"
#include "server/relay/peers.hpp"
#include "server/relay/process_metrics.hpp"
#include "server/relay/recordings.hpp"
#include "server/relay/session_ender.hpp"
#include "server/relay/session_eraser.hpp"
#include "server/relay/session_registry.hpp"
#include "server/relay/shipping_health.hpp"
#include "server/relay/storage_monitor.hpp"
#include "server/repair/repairs.hpp"
#include "server/traces/tracer.hpp"
#include "server/webhooks/dispatcher.hpp"

namespace verbatim::api::handlers {

namespace {

Json readiness_check(const std::string& trouble, const std::string& warning = {}) {
  Json result = {{"ok", trouble.empty()}};
  if (!trouble.empty()) result["detail"] = trouble;
  if (!warning.empty()) result["warning"] = warning;
  return result;
}

}  // namespace

net::Awaitable<net::HttpResponse> health(const ApiServices&, RequestContext&) {
  co_return json_response({{"status", "ok"}});
}

net::Awaitable<net::HttpResponse> ready(const ApiServices& api, RequestContext& context) {
  const std::string journal = co_await api.readiness.journal_trouble(context.executor());
  const std::string upstream = co_await api.readiness.upstream_trouble(context.executor());
  const bool draining = api.registry.draining();
  const relay::ShippingHealth* const shipping = api.storage.shipping();
  const std::string fleet = shipping == nullptr ? std::string() : shipping->refusal();
  const bool ready = journal.empty() && upstream.empty() && fleet.empty() && !draining;
  Json checks = {{"configuration", readiness_check("")},
                 {"journal", readiness_check(journal, api.storage.warning())},
                 {"upstream", readiness_check(upstream)},
                 {"accepting", readiness_check(draining ? "the relay is shutting down" : "")}};
  if (shipping != nullptr) checks["fleet"] = readiness_check(fleet, shipping->warning());
  net::HttpResponse response =
      json_response({{"status", ready ? "ready" : "not ready"}, {"checks", std::move(checks)}},
                    ready ? 200 : 503);
  if (!ready) response.headers.emplace_back("Retry-After", "5");
  co_return response;
}

net::Awaitable<net::HttpResponse> show_metrics(const ApiServices& api, RequestContext&) {
  net::HttpResponse response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  relay::MetricsPage page;
  api.metrics.add_metrics(page, api.registry.live(), api.ender.recovering());
  relay::add_request_metrics(page, api.requests);
  relay::add_process_metrics(page);
  api.registry.add_metrics(page);
  relay::add_memory_metrics(page, api.large_messages.counts(), api.bodies.counts(),
                            api.answers.counts());
  api.storage.add_metrics(page);
  relay::add_shipping_metrics(page, api.storage.shipping());
  api.webhooks.add_metrics(page);
  api.tracer.add_metrics(page);
  relay::add_peer_metrics(page, api.peers);
  api.erasure.add_metrics(page);
  api.feed.add_metrics(page);
  relay::add_recording_metrics(page, api.recordings);
  repair::Repairs::add_metrics(page, api.repairs);
  bucket::Uploads::add_metrics(page, api.uploads);
  response.body = page.text();
  co_return response;
}

net::Awaitable<net::HttpResponse> version(const ApiServices&, RequestContext&) {
  co_return json_response({{"name", "verbatim"}, {"version", VERBATIM_VERSION}});
}

net::Awaitable<net::HttpResponse> show_configuration(const ApiServices& api, RequestContext&) {
  net::HttpResponse response;
  response.body = config::to_json(*api.settings.get());
  co_return response;
}

net::Awaitable<net::HttpResponse> openapi(const ApiServices&, RequestContext& context) {
  net::HttpResponse response;
  response.body = std::string(openapi_document());
  co_return tagged(context.request, std::move(response));
}

}  // namespace verbatim::api::handlers
