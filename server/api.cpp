#include "server/api.hpp"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "server/capture.hpp"
#include "server/client_secret_request.hpp"
#include "server/crypto.hpp"
#include "server/session_driver.hpp"
#include "server/session_queries.hpp"
#include "server/summaries.hpp"

namespace verbatim::server {

namespace {

using nlohmann::json;

constexpr auto transcript_look_interval = std::chrono::seconds(1);
constexpr auto journal_answer_kept_for = std::chrono::seconds(1);
constexpr auto upstream_answer_kept_for = std::chrono::seconds(10);

HttpResponse json_response(const json& value, int status = 200) {
  HttpResponse response;
  response.status = status;
  response.body = value.dump(-1, ' ', false, json::error_handler_t::replace);
  return response;
}

HttpResponse not_found() {
  return problem(404, "not found", "There is no such session, or it is not yours to see.");
}

HttpResponse retry_later(HttpResponse response) {
  response.headers.emplace_back("Retry-After", "10");
  return response;
}

HttpResponse storage_problem(const storage::StorageError& error) {
  return retry_later(problem(503, "storage unavailable", error.what()));
}

bool is_loopback_name(std::string_view host) {
  const std::size_t bracket = host.find(']');
  host = bracket == host.npos ? host.substr(0, host.find(':')) : host.substr(0, bracket + 1);
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]";
}

// Path against pattern; fills `id`. Both are short, so a walk by segment is enough.
bool matches(std::string_view pattern, std::string_view path, std::string& id) {
  while (!pattern.empty() && !path.empty()) {
    const std::size_t pattern_end = std::min(pattern.find('/', 1), pattern.size());
    const std::size_t path_end = std::min(path.find('/', 1), path.size());
    if (pattern.substr(0, pattern_end) == "/{id}") {
      if (path_end < 2) return false;
      id = std::string(path.substr(1, path_end - 1));
    } else if (pattern.substr(0, pattern_end) != path.substr(0, path_end)) {
      return false;
    }
    pattern.remove_prefix(pattern_end);
    path.remove_prefix(path_end);
  }
  return pattern.empty() && path.empty();
}

}  // namespace

const Api::Route Api::routes[] = {
    {"POST", "/v1/realtime/client_secrets", Credential::back_end, &Api::create_client_secret},
    {"GET", "/v1/sessions", Credential::back_end, &Api::list_sessions},
    {"GET", "/v1/sessions/{id}", Credential::back_end_or_own_session, &Api::show_session},
    {"GET", "/v1/sessions/{id}/transcript", Credential::back_end_or_own_session,
     &Api::show_transcript},
    {"DELETE", "/v1/sessions/{id}", Credential::back_end, &Api::erase_session},
    {"GET", "/healthz", Credential::none, &Api::health},
    {"GET", "/readyz", Credential::none, &Api::ready},
    {"GET", "/metrics", Credential::none, &Api::show_metrics},
    {"GET", "/version", Credential::none, &Api::version},
};

Awaitable<HttpResponse> Api::answer(HttpRequest request, Worker& worker) {
  if (request.path == "/v1/realtime") {
    HttpResponse response =
        openai_error(426, "upgrade_required", "This path speaks WebSocket: connect with wss.");
    response.headers.emplace_back("Upgrade", "websocket");
    co_return response;
  }
  std::string allowed;
  for (const Route& route : routes) {
    std::string id;
    if (!matches(route.path, request.path, id)) continue;
    if (request.method != route.method) {
      allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
      continue;
    }
    Context context{request, worker, std::move(id), {}};
    if (auto refused = refuse(route, context)) co_return std::move(*refused);
    co_return co_await (this->*route.handler)(context);
  }
  if (!allowed.empty()) {
    HttpResponse response =
        problem(405, "method not allowed", "This path accepts " + allowed + ".");
    response.headers.emplace_back("Allow", allowed);
    co_return response;
  }
  co_return problem(404, "not found", "There is nothing at " + request.path + ".");
}

std::optional<HttpResponse> Api::refuse(const Route& route, Context& context) const {
  if (route.credential == Credential::none) return std::nullopt;
  auto authenticated = parts_.authenticator.get()->authenticate(context.request, now().wall / 1000);
  if (const auto* failure = std::get_if<AuthFailure>(&authenticated)) {
    const bool mint = context.request.path == "/v1/realtime/client_secrets";
    HttpResponse response = mint ? openai_error(failure->status, failure->code, failure->message)
                                 : problem(failure->status, failure->code, failure->message);
    response.headers.emplace_back("WWW-Authenticate", "Bearer");
    return response;
  }
  context.principal = std::get<Principal>(authenticated);
  switch (context.principal.kind) {
    case Principal::Kind::api_key:
      return std::nullopt;
    case Principal::Kind::development:
      // A page elsewhere must not reach a development server by renaming it (DNS rebinding).
      if (is_loopback_name(context.request.header("Host")) &&
          origin_allowed(context.request, parts_.settings.server.allowed_origins,
                         parts_.settings.tls.enabled)) {
        return std::nullopt;
      }
      return problem(403, "forbidden",
                     "Without a key the development mode answers only requests to localhost.");
    case Principal::Kind::client_token:
      if (route.credential != Credential::back_end_or_own_session) {
        return problem(403, "forbidden", "This call needs a back-end key (vk_...).");
      }
      if (context.principal.claims->session_id != context.id) return not_found();
      return std::nullopt;
  }
  return std::nullopt;
}

Awaitable<HttpResponse> Api::create_client_secret(Context& context) {
  auto read = read_client_secret_request(context.request.body, parts_.settings.auth);
  if (auto* refused = std::get_if<HttpResponse>(&read)) co_return std::move(*refused);
  const auto& asked = std::get<ClientSecretRequest>(read);
  const session::Moment moment = now();
  TokenClaims claims;
  claims.user = asked.user.value_or(context.principal.user);
  claims.session_id = asked.session_id;
  claims.session_open = asked.session_id.empty() && asked.user;
  if (claims.session_id.empty()) claims.session_id = new_id("sess_", moment.wall);
  claims.metadata_json = asked.metadata.dump();
  claims.model = asked.model();
  claims.expires_at_s = moment.wall / 1000 + asked.seconds;
  if (!asked.session.empty()) {
    claims.id = new_id("cs_", moment.wall);
    storage::TranscriptStore::ClientSecret secret{claims.id, asked.configuration(),
                                                  claims.expires_at_s * 1000};
    using Outcome = std::optional<storage::StorageError>;
    const auto start = [this, &secret, &moment](auto done) {
      parts_.journal.execute(
          [secret, at = moment.wall](storage::Database& database) {
            storage::prune_client_secrets(database, at);
            storage::save_client_secret(database, secret);
          },
          [done](const storage::StorageError* error) mutable {
            done(error ? Outcome(*error) : Outcome());
          });
    };
    const Outcome failed = co_await from_callback<Outcome>(context.worker.executor(), start);
    if (failed) {
      parts_.log.error("client_secret.not_saved", {{"why", failed->what()}});
      co_return retry_later(
          openai_error(503, "storage_failure", "The token could not be kept; see /readyz."));
    }
  }
  json answered = asked.session;
  if (!answered.contains("type")) answered["type"] = "realtime";
  co_return json_response(
      {{"value", parts_.authenticator.get()->mint(claims)},
       {"expires_at", claims.expires_at_s},
       {"session", answered},
       {"verbatim",
        {{"session_id", claims.session_id}, {"user", claims.user}, {"metadata", asked.metadata}}}});
}

Awaitable<HttpResponse> Api::list_sessions(Context& context) {
  auto asked = read_session_filter(context.request);
  if (auto* refused = std::get_if<HttpResponse>(&asked)) co_return std::move(*refused);
  const auto& filter = std::get<storage::SessionFilter>(asked);
  const auto read = [filter](storage::TranscriptStore& store) { return store.list(filter); };
  auto page = co_await parts_.reader.run<storage::SessionPage>(context.worker.executor(), read);
  if (const auto* error = std::get_if<1>(&page)) co_return storage_problem(*error);
  const auto& found = std::get<0>(page);
  json sessions = json::array();
  for (const auto& session : found.sessions) sessions.push_back(to_json(session));
  co_return json_response(
      {{"sessions", sessions},
       {"next_cursor", found.next_cursor.empty() ? json(nullptr) : json(found.next_cursor)}});
}

Awaitable<HttpResponse> Api::show_session(Context& context) {
  using Found = std::optional<storage::SessionSummary>;
  const auto read = [id = context.id](storage::TranscriptStore& store) {
    return store.session(id);
  };
  auto found = co_await parts_.reader.run<Found>(context.worker.executor(), read);
  if (const auto* error = std::get_if<1>(&found)) co_return storage_problem(*error);
  const Found& session = std::get<0>(found);
  if (!session) co_return not_found();
  co_return json_response(to_json(*session));
}

Awaitable<HttpResponse> Api::show_transcript(Context& context) {
  const HttpRequest& request = context.request;
  auto asked = read_transcript_query(request);
  if (auto* refused = std::get_if<HttpResponse>(&asked)) co_return std::move(*refused);
  const auto& query = std::get<TranscriptQuery>(asked);
  const auto deadline = Clock::now() + query.wait;
  using Found = std::optional<session::TranscriptView>;
  while (true) {
    // Watch first, look then: what ends in between rings.
    const auto ended = parts_.registry.watch(context.id, context.worker.executor());
    const auto read = [id = context.id, attempt = query.attempt](storage::TranscriptStore& store) {
      return store.transcript(id, attempt);
    };
    auto found = co_await parts_.reader.run<Found>(context.worker.executor(), read);
    if (const auto* error = std::get_if<1>(&found)) co_return storage_problem(*error);
    const Found& view = std::get<0>(found);
    if (!view) co_return not_found();
    if (view->status == session::SessionStatus::final || Clock::now() >= deadline) {
      HttpResponse response;
      response.content_type = std::string(session::content_type(query.format));
      response.body = session::render(*view, query.format);
      const std::string tag = "\"" + to_hex(sha256(response.body)).substr(0, 32) + "\"";
      response.headers.emplace_back("ETag", tag);
      response.headers.emplace_back("Cache-Control", "private, no-cache");
      if (request.header("If-None-Match") == tag) {
        response.status = 304;
        response.content_type.clear();
        response.body.clear();
      }
      co_return response;
    }
    // A conversation that a full disk has ended rings before its record is written.
    co_await ended->wait_until(std::min(deadline, Clock::now() + transcript_look_interval));
  }
}

Awaitable<HttpResponse> Api::erase_session(Context& context) {
  // The place is taken meanwhile, so that nobody opens the session that is being erased.
  switch (parts_.registry.admit(context.id)) {
    case Admission::admitted:
      break;
    case Admission::busy:
      co_return problem(409, "session is live", "End the conversation first, then erase it.");
    case Admission::full:
    case Admission::draining: {
      HttpResponse later = problem(503, "busy", "The server can not do this now; come back.");
      later.headers.emplace_back("Retry-After", "5");
      co_return later;
    }
  }
  struct Outcome {
    bool erased = false;
    std::optional<storage::StorageError> error;
  };
  const auto start = [this, id = context.id](auto done) {
    const auto erased = std::make_shared<bool>(false);
    parts_.journal.execute(
        [id, erased](storage::Database& database) {
          *erased = storage::erase_session(database, id);
        },
        [done, erased](const storage::StorageError* error) mutable {
          done(Outcome{*erased, error ? std::optional(*error) : std::nullopt});
        });
  };
  const Outcome outcome = co_await from_callback<Outcome>(context.worker.executor(), start);
  parts_.registry.release(context.id);
  if (outcome.error) co_return storage_problem(*outcome.error);
  if (!outcome.erased) co_return not_found();
  erase_captured(parts_.settings.capture.dir, context.id);
  parts_.log.info("session.erased", {{"session", context.id}, {"by", context.principal.user}});
  HttpResponse gone;
  gone.status = 204;
  gone.content_type.clear();
  co_return gone;
}

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
  const bool ready = journal.empty() && upstream.empty() && !draining;
  HttpResponse response =
      json_response({{"status", ready ? "ready" : "not ready"},
                     {"checks",
                      {{"configuration", check("")},
                       {"journal", check(journal)},
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
      {parts_.registry.live(), parts_.registry.draining(), parts_.storage.gauges()},
      parts_.journal.take_stats());
  co_return response;
}

Awaitable<HttpResponse> Api::version(Context&) {
  co_return json_response({{"name", "verbatim"}, {"version", VERBATIM_VERSION}});
}

}  // namespace verbatim::server
