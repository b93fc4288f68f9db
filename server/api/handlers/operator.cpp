// What an operator's machines ask: health, readiness, metrics, version. See api.hpp.
#include <nlohmann/json.hpp>

#include "server/api/openapi.hpp"
#include "server/api/responses.hpp"
#include "server/api/router.hpp"
#include "server/relay/http_metrics.hpp"
#include "server/relay/metric_family.hpp"

namespace verbatim::server {

namespace {

using nlohmann::json;

}  // namespace

Awaitable<HttpResponse> Api::health(Context&) { co_return json_response({{"status", "ok"}}); }

Awaitable<std::string> Api::prove_journal(Executor executor) {
  using Outcome = std::optional<storage::StorageError>;
  const auto start = [this](auto done) {
    parts_.journal.execute(storage::prove_writable,
                           [done](const storage::StorageError* error) mutable {
                             done(error ? Outcome(*error) : Outcome());
                           });
  };
  const auto deadline = Clock::now() + parts_.settings.journal.slow_commit;
  const auto failed = co_await from_callback<Outcome>(executor, deadline, start);
  if (!failed) co_return "the disk has not answered within journal.slow_commit";
  if (*failed) parts_.log.error("store.failed", {{"why", (*failed)->what()}});
  co_return *failed ? told_of((*failed)->failure()) : std::string();
}

Awaitable<std::string> Api::journal_trouble(Worker& worker) {
  if (std::string why = parts_.storage.refusal(); !why.empty()) co_return why;
  const auto prove = [this, &worker] { return prove_journal(worker.executor()); };
  co_return co_await journal_check_.get(worker.executor(), prove);
}

Awaitable<HttpResponse> Api::ready(Context& context) {
  const std::string journal = co_await journal_trouble(context.worker);
  const Executor executor = context.worker.executor();
  const auto probe = [this, executor] { return parts_.upstream.probe(executor); };
  const std::string upstream = co_await upstream_check_.get(executor, probe);
  const bool draining = parts_.registry.draining();
  const auto check = [](const std::string& trouble) {
    return trouble.empty() ? json{{"ok", true}} : json{{"ok", false}, {"detail", trouble}};
  };
  json journal_check = check(journal);
  const std::string warning = parts_.storage.warning();
  if (!warning.empty()) journal_check["warning"] = warning;
  const bool ready = journal.empty() && upstream.empty() && !draining;
  HttpResponse response =
      json_response({{"status", ready ? "ready" : "not ready"},
                     {"checks",
                      {{"configuration", check("")},
                       {"journal", journal_check},
                       {"upstream", check(upstream)},
                       {"accepting", check(draining ? "the server is shutting down" : "")}}}},
                    ready ? 200 : 503);
  if (!ready) response.headers.emplace_back("Retry-After", "5");
  co_return response;
}

Awaitable<HttpResponse> Api::show_metrics(Context&) {
  HttpResponse response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  MetricsPage page;
  parts_.metrics.add_metrics(page, parts_.registry.live());
  parts_.registry.add_metrics(page);
  add_memory_metrics(page, parts_.large_messages.counts(), parts_.bodies.counts(),
                     parts_.answers.counts());
  parts_.storage.add_metrics(page);
  parts_.webhooks.add_metrics(page);
  parts_.erasure.add_metrics(page);
  parts_.feed.add_metrics(page);
  response.body = page.text();
  co_return response;
}

Awaitable<HttpResponse> Api::version(Context&) {
  co_return json_response({{"name", "verbatim"}, {"version", VERBATIM_VERSION}});
}

Awaitable<HttpResponse> Api::openapi(Context& context) {
  HttpResponse response;
  response.body = std::string(openapi_document());
  co_return tagged(context.request, std::move(response));
}

}  // namespace verbatim::server
