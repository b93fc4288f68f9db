#include "server/api.hpp"

#include <algorithm>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>

#include "server/capture.hpp"
#include "server/crypto.hpp"
#include "server/session_driver.hpp"
#include "server/summaries.hpp"
#include "session/ids.hpp"

namespace verbatim::server {

namespace {

using nlohmann::json;

constexpr int transcript_wait_seconds_max = 300;
constexpr auto transcript_look_interval = std::chrono::seconds(1);
constexpr std::size_t page_limit_max = 500;
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

std::optional<int> whole_number(std::string_view text) {
  int value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

// Milliseconds, Unix seconds, or 2026-11-23T21:50:51Z.
std::optional<session::TimeMs> parse_time(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (ec == std::errc() && end == text.data() + text.size()) {
    return number < 100'000'000'000 ? number * 1000 : number;
  }
  std::tm parts{};
  const std::string copy(text);
  const char* rest = strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (!rest) {
    parts = {};
    rest = strptime(copy.c_str(), "%Y-%m-%d", &parts);
    if (!rest || *rest != '\0') return std::nullopt;
  }
  return static_cast<session::TimeMs>(timegm(&parts)) * 1000;
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
  json body = json::object();
  if (!context.request.body.empty()) {
    try {
      body = json::parse(context.request.body);
    } catch (const json::parse_error& error) {
      co_return openai_error(400, "invalid_json",
                             "The body is not JSON, at byte " + std::to_string(error.byte) + ".");
    }
  }
  const auto wrong = [](const char* what) { return openai_error(400, "invalid_value", what); };
  if (!body.is_object()) co_return wrong("The body must be a JSON object.");
  const json session = body.value("session", json::object());
  const json extra = body.value("verbatim", json::object());
  if (!session.is_object()) co_return wrong("'session' must be an object.");
  if (!extra.is_object()) co_return wrong("'verbatim' must be an object.");
  const json metadata = extra.value("metadata", json::object());
  if (!metadata.is_object()) co_return wrong("'verbatim.metadata' must be an object.");
  for (const char* key : {"user", "session_id"}) {
    if (extra.contains(key) && !extra[key].is_string()) {
      co_return wrong("'verbatim.user' and 'verbatim.session_id' must be strings.");
    }
  }
  std::int64_t seconds = parts_.settings.auth.token_ttl.count() / 1000;
  const std::int64_t longest = parts_.settings.auth.token_ttl_max.count() / 1000;
  if (body.contains("expires_after")) {
    const json& after = body["expires_after"];
    if (!after.is_object() || !after.contains("seconds") || !after["seconds"].is_number_integer()) {
      co_return wrong("'expires_after' must be {\"anchor\":\"created_at\",\"seconds\":N}.");
    }
    seconds = after["seconds"].get<std::int64_t>();
    if (seconds < 10 || seconds > longest) {
      co_return wrong("'expires_after.seconds' must be from 10 to auth.token_ttl_max (7200).");
    }
  }
  const session::Moment moment = now();
  TokenClaims claims;
  claims.user = extra.value("user", context.principal.user);
  claims.session_id = extra.value("session_id", std::string());
  claims.session_open = claims.session_id.empty() && extra.contains("user");
  if (claims.session_id.empty()) claims.session_id = new_id("sess_", moment.wall);
  if (!session::is_valid_session_id(claims.session_id)) {
    co_return wrong("'verbatim.session_id' must be 1 to 128 letters, digits, '_', '-', '.', ':'.");
  }
  claims.metadata_json = metadata.dump();
  if (session.contains("model") && session["model"].is_string()) {
    claims.model = session["model"].get<std::string>();
  }
  claims.expires_at_s = moment.wall / 1000 + seconds;
  if (!session.empty()) {
    claims.id = new_id("cs_", moment.wall);
    json configuration = session;
    configuration.erase("model");  // it goes into the URL; the provider refuses it in an update
    storage::TranscriptStore::ClientSecret secret{claims.id, configuration.dump(),
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
  json answered = session;
  if (!answered.contains("type")) answered["type"] = "realtime";
  co_return json_response(
      {{"value", parts_.authenticator.get()->mint(claims)},
       {"expires_at", claims.expires_at_s},
       {"session", answered},
       {"verbatim",
        {{"session_id", claims.session_id}, {"user", claims.user}, {"metadata", metadata}}}});
}

Awaitable<HttpResponse> Api::list_sessions(Context& context) {
  storage::SessionFilter filter;
  for (const auto& [name, value] : context.request.query) {
    const auto wrong = [&name = name](const char* accepted) {
      return problem(400, "invalid parameter", "'" + name + "' must be " + accepted + ".");
    };
    if (name == "status") {
      filter.status = session::session_status_from_string(value);
      if (!filter.status) co_return wrong("created, live, detached or final");
    } else if (name == "user") {
      filter.user = value;
    } else if (name == "since" || name == "until") {
      const auto time = parse_time(value);
      if (!time) co_return wrong("a time such as 2026-11-23T21:50:51Z, or Unix seconds");
      (name == "since" ? filter.since : filter.until) = time;
    } else if (name == "limit") {
      const auto limit = whole_number(value);
      if (!limit || *limit < 1 || *limit > static_cast<int>(page_limit_max)) {
        co_return wrong("a number from 1 to 500");
      }
      filter.limit = static_cast<std::size_t>(*limit);
    } else if (name == "cursor") {
      filter.cursor = value;
    } else if (name.starts_with("metadata.") && name.size() > 9) {
      filter.metadata.emplace_back(name.substr(9), value);
    } else {
      co_return problem(400, "unknown parameter",
                        "'" + name +
                            "' is none of status, user, since, until, limit, cursor, "
                            "metadata.KEY.");
    }
  }
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
  std::optional<int> attempt;
  if (const auto asked = request.parameter("attempt")) {
    attempt = whole_number(*asked);
    if (!attempt || *attempt < 1) {
      co_return problem(400, "invalid parameter", "'attempt' must be a number from 1.");
    }
  }
  const auto format = session::format_from_string(request.parameter("format").value_or("json"));
  if (!format) {
    co_return problem(400, "invalid parameter",
                      "'format' must be json, jsonl, text, markdown, vtt or srt.");
  }
  int wait_seconds = 0;
  if (const auto asked = request.parameter("wait")) {
    const auto seconds = whole_number(*asked);
    if (!seconds) co_return problem(400, "invalid parameter", "'wait' must be seconds.");
    wait_seconds = std::min(*seconds, transcript_wait_seconds_max);
  }
  const auto deadline = Clock::now() + std::chrono::seconds(wait_seconds);
  using Found = std::optional<session::TranscriptView>;
  while (true) {
    // Watch first, look then: what ends in between rings.
    const auto ended = parts_.registry.watch(context.id, context.worker.executor());
    const auto read = [id = context.id, attempt](storage::TranscriptStore& store) {
      return store.transcript(id, attempt);
    };
    auto found = co_await parts_.reader.run<Found>(context.worker.executor(), read);
    if (const auto* error = std::get_if<1>(&found)) co_return storage_problem(*error);
    const Found& view = std::get<0>(found);
    if (!view) co_return not_found();
    if (view->status == session::SessionStatus::final || Clock::now() >= deadline) {
      HttpResponse response;
      response.content_type = std::string(session::content_type(*format));
      response.body = session::render(*view, *format);
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
