// GET /v1/realtime as plain HTTP. The WebSocket itself: server/relay/realtime_endpoint.hpp.
#include "server/api/handler.hpp"

namespace verbatim::api::handlers {

net::Awaitable<net::HttpResponse> explain_upgrade(const ApiServices&, RequestContext&) {
  net::HttpResponse response = net::openai_error(
      426, "upgrade_required",
      "This path serves WebSocket: connect with wss. If the client did, a proxy on the way "
      "removed the headers Upgrade and Connection. Configure it to use HTTP/1.1 and to pass "
      "them on.");
  response.headers.emplace_back("Upgrade", "websocket");
  response.headers.emplace_back("Connection", "Upgrade");
  co_return response;
}

}  // namespace verbatim::api::handlers
