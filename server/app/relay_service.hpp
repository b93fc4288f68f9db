// The services of a worker: the API and the realtime endpoint on the main listener, and the probes
// on metrics.listen.
//
// One object for each worker, on the worker's thread.
#pragma once

#include "server/api/path_form.hpp"
#include "server/api/router.hpp"
#include "server/relay/access/misplaced_secret.hpp"
#include "server/relay/peers.hpp"
#include "server/relay/realtime_endpoint.hpp"

namespace verbatim::app {

/// Operators' probes. They are answered even when other requests are refused.
inline bool is_operators_path(const std::string& path) {
  return path == "/metrics" || path == "/healthz" || path == "/readyz" || path == "/version";
}

class RelayService final : public net::HttpService {
 public:
  RelayService(api::Api& api, const relay::RealtimeEndpoint& realtime, relay::Worker& worker,
               const relay::Peers* peers, bool with_metrics)
      : api_(api),
        realtime_(realtime),
        worker_(worker),
        peers_(peers),
        with_metrics_(with_metrics) {}

  /// Azure's clients put the provider's paths below /openai, other nodes of a fleet all below
  /// /fleet.
  void canonicalise(net::HttpRequest& request) const override {
    if (access::looks_like_secret(request.id)) request.id.clear();
    if (peers_ != nullptr) peers_->recognise(request);
    constexpr std::string_view azure = "/openai";
    if (!request.path.starts_with(azure)) return;
    if (net::is_realtime_path(request.path.substr(azure.size())))
      request.path.erase(0, azure.size());
  }

  net::BodyVerdict judge_body(const net::HttpRequest& head) override {
    return api_.judge_body(head);
  }

  bool is_probe(const std::string& path) const override { return is_operators_path(path); }

  net::HttpResponse in_form_of(const std::string& path, net::HttpResponse refusal) override {
    return api::in_form_of(path, std::move(refusal));
  }

  void answered(const std::string& path, int status) override { api_.answered(path, status); }

  net::Awaitable<net::HttpResponse> answer(net::HttpRequest request) override {
    if (peers_ != nullptr && peers_->is_misdirected(request)) co_return relay::misdirected_answer();
    if (!with_metrics_ && request.path == "/metrics") {
      co_return net::problem(404, "not found", "Metrics are served on metrics.listen.");
    }
    co_return co_await api_.answer(std::move(request), worker_);
  }

  net::Awaitable<std::optional<Refused>> upgrade(net::HttpRequest request,
                                                 net::Transport transport) override {
    if (peers_ != nullptr && peers_->is_misdirected(request))
      co_return Refused{std::move(transport), relay::misdirected_answer()};
    if (request.path != "/v1/realtime") {
      co_return Refused{
          std::move(transport),
          net::openai_error(404, "not_found",
                            "WebSockets are served at /v1/realtime, not at " + request.path + ".")};
    }
    co_return co_await realtime_.upgrade(std::move(request), std::move(transport), worker_);
  }

 private:
  api::Api& api_;
  const relay::RealtimeEndpoint& realtime_;
  relay::Worker& worker_;
  const relay::Peers* peers_;  ///< null: this relay is alone
  bool with_metrics_;
};

/// For metrics.listen: serves the operators' probes and nothing else.
class MetricsService final : public net::HttpService {
 public:
  MetricsService(api::Api& api, relay::Worker& worker) : api_(api), worker_(worker) {}

  bool is_probe(const std::string& path) const override { return is_operators_path(path); }

  void answered(const std::string& path, int status) override { api_.answered(path, status); }

  net::Awaitable<net::HttpResponse> answer(net::HttpRequest request) override {
    if (is_operators_path(request.path) || request.method == "OPTIONS") {
      co_return co_await api_.answer(std::move(request), worker_);
    }
    co_return net::problem(404, "not found",
                           "This address has only /metrics, /healthz, /readyz and /version.");
  }

  net::Awaitable<std::optional<Refused>> upgrade(net::HttpRequest,
                                                 net::Transport transport) override {
    co_return Refused{std::move(transport),
                      net::openai_error(404, "not_found", "No WebSockets here.")};
  }

 private:
  api::Api& api_;
  relay::Worker& worker_;
};

}  // namespace verbatim::app
