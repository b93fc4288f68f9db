// The console and the browser's client library, as pages are served.
#include "config/settings.hpp"
#include "server/api/assets.hpp"
#include "server/api/handler.hpp"
#include "server/api/responses.hpp"

namespace verbatim::api::handlers {

namespace {

/// The console loads only its own files. Spoken text must never become a script, and no page may
/// put the console into a frame.
constexpr const char* content_security_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; media-src 'self' blob:; worker-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

}  // namespace

net::Awaitable<net::HttpResponse> show_page(const ApiServices& api, RequestContext& context) {
  const std::string& path = context.request.path;
  const bool library = path.starts_with("/web/");
  const Asset* const asset = library || api.settings.server.console ? find_asset(path) : nullptr;
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
    response.headers.emplace_back("Content-Security-Policy", content_security_policy);
    response.headers.emplace_back("Referrer-Policy", "no-referrer");
    response.headers.emplace_back("Permissions-Policy",
                                  "microphone=(self), camera=(), geolocation=()");
    response.headers.emplace_back("Cross-Origin-Opener-Policy", "same-origin");
  }
  co_return response;
}

}  // namespace verbatim::api::handlers
