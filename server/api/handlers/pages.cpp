// The console, the browser's client library and the API's reference, as pages are served.
#include "config/settings.hpp"
#include "server/api/assets.hpp"
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
  const Asset* const asset =
      console && !api.settings.get()->server.console ? nullptr : find_asset(path);
  if (asset == nullptr)
    co_return net::problem(404, "not found", "There is nothing at " + path + ".");
  net::HttpResponse response = tagged(context.request, asset->etag, [asset] {
    net::HttpResponse page;
    page.content_type = asset->type;
    page.body = asset->bytes;
    return page;
  });
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
