#include "server/api/router.hpp"

#include <chrono>
#include <string_view>
#include <utility>

#include "config/settings.hpp"
#include "server/api/answer_limits.hpp"
#include "server/api/authorize.hpp"
#include "server/api/compression.hpp"
#include "server/api/path_form.hpp"
#include "server/api/routes.hpp"
#include "server/api/session_node.hpp"
#include "server/api/shared_store.hpp"
#include "server/net/request_counts.hpp"

namespace verbatim::api {

namespace {

/// Pages and the description of the API: public, so they may be cached.
bool is_public(std::string_view path) {
  return path == "/" || path == "/openapi.json" || path.starts_with("/console/") ||
         path.starts_with("/docs/") || path.starts_with("/web/") || path == "/examples" ||
         path.starts_with("/examples/");
}

/// Whether to send HSTS (RFC 6797): a browser then keeps to TLS. Not for `localhost`, where a
/// developer's other servers may have no TLS. For an address browsers ignore it.
bool keeps_to_tls(std::string_view host) {
  host = host.substr(0, host.find(':'));
  constexpr std::string_view local = "localhost";
  const bool ends = host.size() >= local.size() &&
                    net::equals_ignore_case(host.substr(host.size() - local.size()), local);
  return !ends;
}

/// A mark that some editors and serialisers put in front of JSON may be ignored (RFC 8259, 8.1).
void skip_byte_order_mark(std::string& body) {
  constexpr std::string_view mark = "\xEF\xBB\xBF";
  if (body.starts_with(mark)) body.erase(0, mark.size());
}

net::HttpResponse nothing_at(std::string_view path) {
  std::string detail = "There is nothing at " + std::string(path) + ".";
  if (net::is_realtime_path(path)) {
    detail +=
        " This relay has the WebSocket /v1/realtime, and accepts POST at "
        "/v1/realtime/client_secrets and /v1/realtime/sessions.";
  }
  return net::problem(404, "not found", detail);
}

bool is_preflight(const net::HttpRequest& request) {
  return request.method == "OPTIONS" && !request.header("Access-Control-Request-Method").empty();
}

net::HttpResponse preflight_answer() {
  net::HttpResponse response;
  response.status = 204;
  response.content_type.clear();
  response.headers = {
      {"Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE"},
      {"Access-Control-Allow-Headers",
       "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, "
       "X-Request-Id"},
      {"Access-Control-Max-Age", "600"}};
  return response;
}

/// Load balancers send `OPTIONS /` or `OPTIONS *` as a health check.
net::HttpResponse options_of(std::string_view path) {
  std::string allowed = path == "*" ? net::all_methods : methods_of(path);
  if (allowed.empty()) return nothing_at(path);
  net::HttpResponse response;
  response.content_type.clear();
  response.headers.emplace_back("Allow", std::move(allowed));
  return response;
}

net::HttpResponse method_not_allowed(const std::string& allowed) {
  net::HttpResponse response =
      net::problem(405, "method not allowed", "This path accepts " + allowed + ".");
  response.headers.emplace_back("Allow", allowed);
  return response;
}

/// The same services, but the sessions are those of the fleet's database.
std::optional<ApiServices> with_shared_store(const ApiServices& own) {
  if (own.shared == nullptr) return std::nullopt;
  return ApiServices{own, own.shared->stores, own.origins, own.post_limits, own.readiness};
}

}  // namespace

Api::Api(const ApiParts& parts, const ApiStores& stores)
    : origins_(std::make_shared<const access::OriginRules>(parts.settings.get()->server)),
      post_limits_(parts.settings.get()->posts),
      readiness_(parts),
      services_{parts, stores, origins_, post_limits_, readiness_},
      shared_services_(with_shared_store(services_)) {}

void Api::reload() {
  const auto settings = services_.settings.get();
  origins_.set(std::make_shared<const access::OriginRules>(settings->server));
  post_limits_.reload(settings->posts);
}

net::Awaitable<net::HttpResponse> Api::answer(net::HttpRequest request, relay::Worker& worker) {
  const std::string origin = admitted_origin(request);
  skip_byte_order_mark(request.body);
  net::HttpResponse response;
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
    response.headers.emplace_back("Access-Control-Expose-Headers",
                                  "ETag, Retry-After, X-Request-Id");
    response.headers.emplace_back("Vary", "Origin");
  }
  co_return response;
}

/// No cache may keep tokens and private answers, not even a browser's own. HSTS is sent if TLS ends
/// at this server.
void Api::add_privacy(const net::HttpRequest& request, net::HttpResponse& response) const {
  if (!is_public(request.path)) {
    std::erase_if(response.headers, [](const auto& one) { return one.first == "Cache-Control"; });
    response.headers.emplace_back("Cache-Control", "no-store");
  }
  const auto settings = services_.settings.get();
  const config::Tls& tls = settings->tls;
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(tls.hsts_max_age).count();
  if (tls.enabled && age > 0 && keeps_to_tls(request.header("Host")))
    response.headers.emplace_back("Strict-Transport-Security", "max-age=" + std::to_string(age));
}

/// The request's origin if server.allowed_origins names it: a page of that origin may read answers.
/// Its client library reads its session and posts its copy. The page sets its credential as a
/// header, so browser credentials (cookies) are not allowed.
std::string Api::admitted_origin(const net::HttpRequest& request) const {
  const bool named = origins_.get()->names(request) && !request.path.starts_with("/web/");
  return named ? std::string(request.header("Origin")) : std::string();
}

net::Awaitable<net::HttpResponse> Api::route(net::HttpRequest& request, relay::Worker& worker) {
  std::string id;
  const Route* const route = find_route(request.method, request.path, id);
  if (route == nullptr) {
    const std::string allowed = methods_of(request.path);
    co_return allowed.empty() ? nothing_at(request.path) : method_not_allowed(allowed);
  }
  auto principal = authorize(services_, route->credential, request, id);
  if (!principal) co_return std::move(principal).error();
  RequestContext context{request, worker, std::move(id), *std::move(principal)};
  net::HttpResponse response = co_await handle(*route, context);
  // An answer that needs no credential is the program's own, and small. That of another node is in
  // its last form.
  if (route->credential == RequiredCredential::none || response.of_peer) co_return response;
  response = co_await compressed(services_, context, std::move(response));
  co_return within_memory(services_, context, std::move(response));
}

net::Awaitable<net::HttpResponse> Api::handle(const Route& route, RequestContext& context) {
  bool unsure = false;
  if (services_.peers != nullptr && route.at_session_node) {
    SessionNode node = co_await ask_session_node(services_, context);
    if (node.silent && route.from_database && shared_services_)
      co_return co_await handle_from_database(route, context, *std::move(node.answer));
    if (node.answer) co_return *std::move(node.answer);
    unsure = node.unsure;
  }
  if (context.is_client()) {
    if (auto refused = co_await refuse_use_of_token(services_, context))
      co_return unsure && refused->status == 404 ? session_node_unknown() : std::move(*refused);
  }
  net::HttpResponse response = co_await route.handler(services_, context);
  if (unsure && response.status == 404) co_return session_node_unknown();
  co_return response;
}

/// The session's node does not answer, and `otherwise` says so. A session or an attempt that the
/// database lacks may still be there.
net::Awaitable<net::HttpResponse> Api::handle_from_database(const Route& route,
                                                            RequestContext& context,
                                                            net::HttpResponse otherwise) {
  if (context.is_client()) {
    if (auto refused = co_await refuse_use_of_token(*shared_services_, context))
      co_return refused->status == 404 ? std::move(otherwise) : std::move(*refused);
  }
  net::HttpResponse response = co_await route.handler(*shared_services_, context);
  co_return response.status == 404 ? std::move(otherwise) : std::move(response);
}

void Api::answered(std::string_view path, int status) {
  services_.requests.answered(pattern_of(path), status);
}

net::BodyVerdict Api::judge_body(const net::HttpRequest& head) const {
  net::BodyVerdict verdict;
  std::string id;
  const Route* const route = find_route(head.method, head.path, id);
  if (route == nullptr) return verdict;
  auto principal = authorize(services_, route->credential, head, id);
  verdict.read = head.method == "POST" || head.method == "PATCH";
  if (!principal)
    verdict.refused = std::move(principal).error();
  else if (principal->kind == access::Principal::Kind::client_token)
    verdict.user = std::move(principal->user);
  return verdict;
}

}  // namespace verbatim::api
