// GET /v1/realtime as plain HTTP. The WebSocket itself: server/relay/realtime_endpoint.hpp.
#include "base/log.hpp"
#include "server/api/handler.hpp"

namespace verbatim::api::handlers {

net::Awaitable<net::HttpResponse> explain_upgrade(const ApiServices& api, RequestContext& context) {
  net::HttpResponse response = net::openai_error(
      426, "upgrade_required",
      "This path serves WebSocket: connect with wss. If the client did, a proxy on the way "
      "removed the headers Upgrade and Connection. Configure it to use HTTP/1.1 and to pass "
      "them on.");
  response.headers.emplace_back("Upgrade", "websocket");
  response.headers.emplace_back("Connection", "Upgrade");
  api.log.repeated(Repeated::upgrade_refused,
                   {{"status", response.status},
                    {"code", "upgrade_required"},
                    {"why", "the request has no upgrade headers; a proxy may have removed them"},
                    {"remote", context.request.remote},
                    {"request", context.request.id}});
  co_return response;
}

}  // namespace verbatim::api::handlers
