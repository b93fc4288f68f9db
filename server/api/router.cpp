#include "server/api/router.hpp"

#include <algorithm>

#include "base/crypto.hpp"
#include "server/api/responses.hpp"
#include "server/relay/access/token_judgement.hpp"
#include "server/relay/session_driver.hpp"

namespace verbatim::server {

namespace {

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

/// What anybody may read.
bool is_public(std::string_view path) {
  return path == "/" || path == "/openapi.json" || path.starts_with("/console/") ||
         path.starts_with("/web/");
}

/// A browser keeps to TLS from now on (RFC 6797). Not for `localhost`, where other servers of a
/// developer speak without; for an address browsers ignore it.
bool keeps_to_tls(std::string_view host) {
  host = host.substr(0, host.find(':'));
  constexpr std::string_view local = "localhost";
  const bool ends = host.size() >= local.size() &&
                    equals_ignore_case(host.substr(host.size() - local.size()), local);
  return !ends;
}

/// A mark that some editors and serialisers put in front of JSON may be ignored (RFC 8259, 8.1).
void skip_byte_order_mark(std::string& body) {
  constexpr std::string_view mark = "\xEF\xBB\xBF";
  if (body.starts_with(mark)) body.erase(0, mark.size());
}

HttpResponse nothing_at(std::string_view path) {
  std::string detail = "There is nothing at " + std::string(path) + ".";
  if (is_realtime_path(path)) {
    detail +=
        " This server has the WebSocket /v1/realtime, and accepts POST at "
        "/v1/realtime/client_secrets and /v1/realtime/sessions.";
  }
  return problem(404, "not found", detail);
}

bool is_preflight(const HttpRequest& request) {
  return request.method == "OPTIONS" && !request.header("Access-Control-Request-Method").empty();
}

HttpResponse preflight_answer() {
  HttpResponse response;
  response.status = 204;
  response.content_type.clear();
  response.headers = {
      {"Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE"},
      {"Access-Control-Allow-Headers",
       "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID"},
      {"Access-Control-Max-Age", "600"}};
  return response;
}

}  // namespace

const Api::Route Api::routes[] = {
    {"POST", "/v1/realtime/client_secrets", Credential::back_end, &Api::create_client_secret},
    {"POST", "/v1/realtime/sessions", Credential::back_end, &Api::create_beta_session},
    {"GET", "/v1/client_secrets", Credential::back_end, &Api::list_client_secrets},
    {"DELETE", "/v1/client_secrets/{id}", Credential::back_end, &Api::revoke_client_secret},
    {"GET", "/v1/sessions", Credential::back_end, &Api::list_sessions},
    {"GET", "/v1/sessions/{id}", Credential::back_end_or_own_session, &Api::show_session},
    {"GET", "/v1/sessions/{id}/transcript", Credential::back_end_or_own_session,
     &Api::show_transcript},
    {"GET", "/v1/sessions/{id}/events", Credential::back_end_or_own_session, &Api::watch_session},
    {"GET", "/v1/sessions/{id}/captured", Credential::back_end, &Api::show_captured},
    {"DELETE", "/v1/sessions/{id}", Credential::back_end, &Api::erase_session},
    {"POST", "/v1/sessions", Credential::back_end, &Api::create_session},
    {"PATCH", "/v1/sessions/{id}", Credential::back_end, &Api::patch_session},
    {"POST", "/v1/sessions/{id}/transcript", Credential::back_end_or_own_session,
     &Api::post_transcript},
    {"POST", "/api/sessions/{id}/transcript", Credential::back_end_or_own_session,
     &Api::post_transcript_compatible},
    {"POST", "/api/internal/sessions/{id}/transcript", Credential::internal_service,
     &Api::post_transcript_compatible},
    {"POST", "/api/internal/sessions", Credential::internal_service,
     &Api::create_session_compatible},
    {"GET", "/api/external/assignments/{id}/transcript", Credential::back_end,
     &Api::show_assignment_compatible},
    {"GET", "/healthz", Credential::none, &Api::health},
    {"GET", "/readyz", Credential::none, &Api::ready},
    {"GET", "/metrics", Credential::none, &Api::show_metrics},
    {"GET", "/version", Credential::none, &Api::version},
    {"GET", "/openapi.json", Credential::none, &Api::openapi},
    {"GET", "/", Credential::none, &Api::show_page},
    {"GET", "/console/{id}", Credential::none, &Api::show_page},
    {"GET", "/web/{id}", Credential::none, &Api::show_page},
};

std::vector<std::pair<std::string, std::string>> Api::calls() {
  std::vector<std::pair<std::string, std::string>> all{{"GET", "/v1/realtime"}};
  for (const Route& route : routes) all.emplace_back(route.method, route.path);
  return all;
}

Awaitable<HttpResponse> Api::answer(HttpRequest request, Worker& worker) {
  const std::string origin = admitted_origin(request);
  skip_byte_order_mark(request.body);
  HttpResponse response;
  if (!origin.empty() && is_preflight(request)) {
    response = preflight_answer();
  } else if (request.method == "OPTIONS" && !is_preflight(request)) {
    response = in_form_of(request.path, options_of(request.path));
  } else {
    response = in_form_of(request.path, co_await route(request, worker));
  }
  add_privacy(request, response);
  if (!origin.empty()) {
    response.headers.emplace_back("Access-Control-Allow-Origin", origin);
    response.headers.emplace_back("Access-Control-Expose-Headers", "ETag, Retry-After");
    response.headers.emplace_back("Vary", "Origin");
  }
  co_return response;
}

/// Tokens and what is private are kept by no cache, not even a browser's own; pages and the API's
/// description may be. HSTS where TLS ends here: but for `localhost`, which other servers share.
void Api::add_privacy(const HttpRequest& request, HttpResponse& response) const {
  if (!is_public(request.path)) {
    std::erase_if(response.headers, [](const auto& one) { return one.first == "Cache-Control"; });
    response.headers.emplace_back("Cache-Control", "no-store");
  }
  const auto& tls = parts_.settings.tls;
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(tls.hsts_max_age).count();
  if (tls.enabled && age > 0 && keeps_to_tls(request.header("Host")))
    response.headers.emplace_back("Strict-Transport-Security", "max-age=" + std::to_string(age));
}

/// A page of another origin may read answers where server.allowed_origins names it: its client
/// library asks for its session and posts its copy. Credentials are a header that the page sets, so
/// none of the browser's own are let in.
std::string Api::admitted_origin(const HttpRequest& request) const {
  const bool named = origins_.names(request) && !request.path.starts_with("/web/");
  return named ? std::string(request.header("Origin")) : std::string();
}

Awaitable<HttpResponse> Api::route(HttpRequest& request, Worker& worker) {
  if (request.path == "/v1/realtime" && request.method == "GET") {
    HttpResponse response = openai_error(
        426, "upgrade_required",
        "This path serves WebSocket: connect with wss. If the client did, a proxy on the way "
        "removed the headers Upgrade and Connection. Configure it to use HTTP/1.1 and to pass "
        "them on.");
    response.headers.emplace_back("Upgrade", "websocket");
    response.headers.emplace_back("Connection", "Upgrade");
    co_return response;
  }
  for (const Route& route : routes) {
    std::string id;
    if (request.method != route.method || !matches(route.path, request.path, id)) continue;
    Context context{request, worker, std::move(id), {}};
    if (auto refused = refuse(route, request, context.id, context.principal)) {
      co_return std::move(*refused);
    }
    if (context.principal.kind == Principal::Kind::client_token) {
      if (auto refused = co_await refuse_use_of_token(context)) co_return std::move(*refused);
    }
    HttpResponse response = co_await (this->*route.handler)(context);
    // What anybody may ask for is the program's own, and small.
    if (route.credential == Credential::none) co_return response;
    co_return within_memory(context, std::move(response));
  }
  const std::string allowed = methods_of(request.path);
  if (allowed.empty()) co_return nothing_at(request.path);
  HttpResponse response = problem(405, "method not allowed", "This path accepts " + allowed + ".");
  response.headers.emplace_back("Allow", allowed);
  co_return response;
}

std::string Api::methods_of(std::string_view path) {
  std::string methods;
  for (const auto& [method, pattern] : calls()) {
    std::string id;
    if (!matches(pattern, path, id)) continue;
    methods += method + ", ";
    if (method == "GET") methods += "HEAD, ";
  }
  return methods.empty() ? methods : methods + "OPTIONS";
}

/// Load balancers ask `OPTIONS /` or `OPTIONS *` whether the server lives.
HttpResponse Api::options_of(std::string_view path) {
  std::string allowed = path == "*" ? all_methods : methods_of(path);
  if (allowed.empty()) return nothing_at(path);
  HttpResponse response;
  response.content_type.clear();
  response.headers.emplace_back("Allow", std::move(allowed));
  return response;
}

HttpResponse Api::storage_problem(const storage::StorageError& error) const {
  parts_.log.error("store.failed", {{"kind", to_string(error.failure())}, {"why", error.what()}});
  return retry_later(
      problem(503, "storage unavailable", told_of(error.failure()) + ". The log has the details."));
}

BodyVerdict Api::judge_body(const HttpRequest& head) const {
  BodyVerdict verdict;
  for (const Route& route : routes) {
    std::string id;
    if (head.method != route.method || !matches(route.path, head.path, id)) continue;
    Principal principal;
    verdict.refused = refuse(route, head, id, principal);
    verdict.read = head.method == "POST" || head.method == "PATCH";
    if (principal.kind == Principal::Kind::client_token) verdict.user = principal.user;
    break;
  }
  return verdict;
}

std::optional<HttpResponse> Api::refuse(const Route& route, const HttpRequest& request,
                                        const std::string& id, Principal& principal) const {
  if (route.credential == Credential::none) return std::nullopt;
  if (route.credential == Credential::internal_service) {
    const Secret& key = parts_.settings.auth.internal_service_key;
    if (key.empty() || !equal_secrets(request.header("X-Internal-Service-Key"), key.reveal())) {
      return problem(401, "unauthorized",
                     "Send the header X-Internal-Service-Key with the key of "
                     "auth.internal_service_key_file.");
    }
    principal = {Principal::Kind::api_key, "internal-service", {}};
    return std::nullopt;
  }
  auto authenticated = parts_.authenticator.get()->authenticate(request, now().wall / 1000);
  if (const auto* failure = std::get_if<AuthFailure>(&authenticated)) {
    return unauthorized(request, *failure);
  }
  principal = std::get<Principal>(authenticated);
  switch (principal.kind) {
    case Principal::Kind::api_key:
      return std::nullopt;
    case Principal::Kind::development:
      if (origins_.admit(request)) {
        return std::nullopt;
      }
      return problem(403, "forbidden",
                     "In development mode, only the relay's own pages may call without a key.");
    case Principal::Kind::client_token:
      if (route.credential != Credential::back_end_or_own_session) {
        if (principal.expired) return unauthorized(request, expired_token());
        return problem(403, "forbidden", "This call needs a back-end key (vk_...).");
      }
      if (!principal.claims->session_open && principal.claims->session_id != id) {
        return principal.expired ? unauthorized(request, expired_token()) : not_found();
      }
      return std::nullopt;
  }
  return std::nullopt;
}

Awaitable<std::optional<HttpResponse>> Api::refuse_use_of_token(Context& context) {
  const TokenClaims& claims = *context.principal.claims;
  const auto read =
      [use = use_of(claims, context.id), at = now().wall,
       window = parts_.settings.session.resume_window.count()](storage::TranscriptStore& store) {
        return storage::token_standing(store.database(), use, at, window);
      };
  auto found = co_await parts_.reader.run<storage::TokenStanding>(context.worker.executor(), read,
                                                                  "a client token");
  if (const auto* error = std::get_if<1>(&found)) co_return storage_problem(*error);
  const auto refused = refuse_use(claims, context.principal.expired, std::get<0>(found));
  if (!refused) co_return std::nullopt;
  if (refused->status == 404) co_return not_found();
  co_return unauthorized(context.request, *refused);
}

std::optional<HttpResponse> Api::refuse_secrets(
    std::initializer_list<std::pair<const char*, std::string_view>> fields) const {
  for (const auto& [name, value] : fields) {
    if (parts_.ids.admits(value)) continue;
    return problem(400, "invalid value", std::string(name) + std::string(IdGuard::why));
  }
  return std::nullopt;
}

std::string Api::share_of(const Context& context) {
  const bool is_client = context.principal.kind == Principal::Kind::client_token;
  // Tokens whose user is the back end are of no user.
  const bool has_user = is_client && context.principal.claims->user_named;
  return has_user ? "user " + context.principal.user : "session " + context.id;
}

AnswerMemory::Owner Api::owner_of(const Context& context) {
  return {share_of(context), context.principal.kind == Principal::Kind::client_token};
}

HttpResponse Api::within_memory(const Context& context, HttpResponse response) const {
  if (response.memory || response.body.size() <= AnswerMemory::free_bytes) return response;
  const auto memory = std::make_shared<AnswerMemory::Share>(parts_.answers, owner_of(context));
  if (!memory->resize(response.body.size())) return no_memory_for_answer(context);
  response.memory = memory;
  return response;
}

HttpResponse Api::no_memory_for_answer(const Context& context) const {
  if (parts_.answers.worth_a_line(Clock::now())) {
    const AnswerMemory::Counts counts = parts_.answers.counts();
    parts_.log.warn("answers.refused",
                    {{"remote", context.request.remote},
                     {"held", counts.held},
                     {"refused", counts.refused},
                     {"now",
                      "requests for large answers get 503 until others have been read; raise "
                      "server.answers_bytes_max if this is not an attack"}});
  }
  return retry_later(problem(503, "too many answers",
                             "Unread answers take as much memory as server.answers_bytes_max "
                             "allows. Read them, and try again later."));
}

std::function<bool()> Api::may_go_on(const Context& context) const {
  std::string id = context.principal.credential_id();
  if (id.empty()) return [] { return true; };
  return [this, id = std::move(id)] { return !parts_.revocations.contains(id); };
}

}  // namespace verbatim::server
