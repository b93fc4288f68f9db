// What an operator's machines ask: health, readiness, metrics, version. See api.hpp.
#include <nlohmann/json.hpp>

#include "server/api.hpp"
#include "server/api_answers.hpp"
#include "server/openapi.hpp"

namespace verbatim::server {

namespace {

using nlohmann::json;

constexpr auto journal_answer_kept_for = std::chrono::seconds(1);
constexpr auto upstream_answer_kept_for = std::chrono::seconds(10);

}  // namespace

Awaitable<HttpResponse> Api::health(Context&) { co_return json_response({{"status", "ok"}}); }

std::optional<std::string> Api::Kept::get(Clock::duration for_how_long) const {
  const std::lock_guard lock(mutex_);
  if (at_ == Clock::time_point{} || Clock::now() - at_ >= for_how_long) return std::nullopt;
  return answer_;
}

void Api::Kept::set(std::string answer) {
  const std::lock_guard lock(mutex_);
  at_ = Clock::now();
  answer_ = std::move(answer);
}

Awaitable<std::string> Api::journal_trouble(Worker& worker) {
  if (std::string why = parts_.storage.refusal(); !why.empty()) co_return why;
  if (auto kept = journal_answer_.get(journal_answer_kept_for)) co_return *kept;
  using Outcome = std::optional<storage::StorageError>;
  const auto start = [this](auto done) {
    parts_.journal.execute(storage::prove_writable,
                           [done](const storage::StorageError* error) mutable {
                             done(error ? Outcome(*error) : Outcome());
                           });
  };
  const auto deadline = Clock::now() + parts_.settings.journal.slow_commit;
  const auto failed = co_await from_callback<Outcome>(worker.executor(), deadline, start);
  if (!failed) co_return "the disk has not answered within journal.slow_commit";
  const std::string answer = *failed ? (*failed)->what() : std::string();
  journal_answer_.set(answer);
  co_return answer;
}

Awaitable<std::string> Api::upstream_trouble(Worker& worker) {
  if (auto kept = upstream_answer_.get(upstream_answer_kept_for)) co_return *kept;
  const std::string answer = co_await parts_.upstream.probe(worker.executor());
  upstream_answer_.set(answer);
  co_return answer;
}

Awaitable<HttpResponse> Api::ready(Context& context) {
  const std::string journal = co_await journal_trouble(context.worker);
  const std::string upstream = co_await upstream_trouble(context.worker);
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
                       {"accepting", check(draining ? "the server is going down" : "")}}}},
                    ready ? 200 : 503);
  if (!ready) response.headers.emplace_back("Retry-After", "5");
  co_return response;
}

Awaitable<HttpResponse> Api::show_metrics(Context&) {
  HttpResponse response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = parts_.metrics.render(
      {parts_.registry.live(), parts_.registry.draining(), parts_.storage.gauges(),
       parts_.webhooks.gauges(), parts_.erasure.gauges(), parts_.feed.gauges(),
       parts_.large_messages.counts()},
      parts_.journal.take_stats());
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
