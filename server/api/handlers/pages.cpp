// The console, the browser's client library and the API's reference, as pages are served.
#include "config/settings.hpp"
#include "server/api/assets.hpp"
#include "server/api/compression.hpp"
#include "server/api/handler.hpp"
#include "server/api/openapi.hpp"
#include "server/api/reference/page.hpp"
#include "server/api/responses.hpp"

namespace verbatim::api::handlers {

namespace {

/// The console loads only its own files. Spoken text must never become a script, and no page may
/// put the console into a frame.
constexpr const char* content_security_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; media-src 'self' blob:; worker-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

void add_page_headers(net::HttpResponse& response) {
  response.headers.emplace_back("Content-Security-Policy", content_security_policy);
  response.headers.emplace_back("Referrer-Policy", "no-referrer");
  response.headers.emplace_back("Permissions-Policy",
                                "microphone=(self), camera=(), geolocation=()");
  response.headers.emplace_back("Cross-Origin-Opener-Policy", "same-origin");
}

net::HttpResponse no_such_page(const std::string& path) {
  return net::problem(404, "not found", "There is nothing at " + path + ".");
}

/// The file, compressed if the client accepts it. A compressed answer has a weak tag: its bytes
/// differ.
net::HttpResponse answer_with(const net::HttpRequest& request, const Asset& asset) {
  const bool packed = !asset.packed.empty() && accepts_gzip(request.header("Accept-Encoding"));
  const std::string tag = (packed ? "W/" : "") + std::string(asset.etag);
  net::HttpResponse response = tagged(request, tag, [&asset, packed] {
    net::HttpResponse page;
    page.content_type = asset.type;
    page.body = packed ? asset.packed : asset.bytes;
    if (packed) page.headers.emplace_back("Content-Encoding", "gzip");
    return page;
  });
  if (!asset.packed.empty()) response.headers.emplace_back("Vary", "Accept-Encoding");
  return response;
}

void keep_for_ever(net::HttpResponse& response) {
  for (auto& [name, value] : response.headers)
    if (name == "Cache-Control") value = "public, max-age=31536000, immutable";
}

}  // namespace

net::Awaitable<net::HttpResponse> show_reference(const ApiServices&, RequestContext& context) {
  // Made by the first request: it is the same for all.
  static const std::string page = reference_page(Description::parse(openapi_document()));
  static const std::string tag = tag_of(page);
  net::HttpResponse response = tagged(context.request, tag, [] {
    net::HttpResponse whole;
    whole.content_type = "text/html; charset=utf-8";
    whole.body = page;
    return whole;
  });
  add_page_headers(response);
  co_return response;
}

net::Awaitable<net::HttpResponse> show_page(const ApiServices& api, RequestContext& context) {
  const std::string& path = context.request.path;
  const bool library = path.starts_with("/web/");
  const bool console = !library && !path.starts_with("/docs/");
  if (console && !api.settings.get()->server.console) co_return no_such_page(path);
  const Asset* const named = find_asset(path);
  const Asset* const asset = named != nullptr ? named : find_successor(path);
  if (asset == nullptr) co_return no_such_page(path);
  net::HttpResponse response = answer_with(context.request, *asset);
  if (named != nullptr && named->immutable) keep_for_ever(response);
  if (library) {
    // Public code: a page of another origin imports it from here.
    response.headers.emplace_back("Access-Control-Allow-Origin", "*");
    response.headers.emplace_back("Cross-Origin-Resource-Policy", "cross-origin");
  } else {
    add_page_headers(response);
  }
  co_return response;
}

}  // namespace verbatim::api::handlers
