#include "server/fleet/peers/peer_request.hpp"

#include <algorithm>
#include <array>

#include "base/assert.hpp"
#include "base/url.hpp"
#include "server/net/request_id.hpp"

namespace verbatim::peers {

namespace {

/// Headers that some part of the server reads, except those that the connection or a proxy sets.
/// tests/tidy/peers.test.mjs compares the list with the code.
constexpr std::array passed_on = {"Accept-Encoding",
                                  "api-key",
                                  "Authorization",
                                  "Content-Encoding",

                                  "Host",
                                  "Idempotency-Key",
                                  "If-None-Match",
                                  "If-Range",
                                  "Last-Event-ID",
                                  "OpenAI-Beta",
                                  "Origin",
                                  "Range",
                                  "Sec-WebSocket-Key",
                                  "Sec-WebSocket-Protocol",
                                  "Sec-WebSocket-Version",
                                  "traceparent",

                                  "X-Internal-Service-Key"};

/// The path and query, encoded again: the client's own target may be in another form.
std::string target_of(const net::HttpRequest& request) {
  std::string target(peer_prefix);
  std::string_view path = request.path;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const std::size_t end = std::min(path.find('/'), path.size());
    target += '/' + percent_encoded(path.substr(0, end));
    path.remove_prefix(end);
  }
  char mark = '?';
  for (const auto& [name, value] : request.query) {
    target += mark + percent_encoded(name) + '=' + percent_encoded(value);
    mark = '&';
  }
  return target;
}

}  // namespace

std::string request_for_peer(const net::HttpRequest& request, const std::string& host,
                             const std::string& token) {
  std::string head = request.method + ' ' + target_of(request) + " HTTP/1.1\r\n";
  const auto add = [&head](std::string_view name, std::string_view value) {
    head.append(name).append(": ").append(value).append("\r\n");
  };
  for (const char* const name : passed_on) {
    const std::string_view value = request.header(name);
    if (!value.empty()) add(name, value);
  }
  if (request.header("Host").empty()) add("Host", host);
  add(net::request_id_header, request.id);
  add(peer_token_header, token);
  if (request.upgrade) {
    add("Connection", "Upgrade");
    add("Upgrade", "websocket");
  } else {
    add("Connection", "close");
    if (!request.body.empty() || request.method == "POST" || request.method == "PATCH")
      add("Content-Length", std::to_string(request.body.size()));
  }
  return head + "\r\n" + request.body;
}

bool is_below_peer_prefix(std::string_view path) {
  return path.starts_with(peer_prefix) && path.substr(peer_prefix.size()).starts_with('/');
}

void remove_peer_prefix(net::HttpRequest& request) {
  VERBATIM_EXPECTS(is_below_peer_prefix(request.path));
  request.path.erase(0, peer_prefix.size());
}

}  // namespace verbatim::peers
