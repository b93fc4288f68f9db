#include "server/net/http_framing.hpp"

#include <algorithm>
#include <array>
#include <boost/beast/core/string.hpp>
#include <optional>

#include "base/url.hpp"

namespace verbatim::net {

namespace http = boost::beast::http;

namespace {

HttpResponse bad(std::string_view why) { return problem(400, "bad request", why); }

/// These fields have one value. With two different lines the sender could choose which one a proxy
/// reads and which one this server reads. All other fields are lists (RFC 9110, section 5.3).
constexpr std::array single_fields{http::field::authorization, http::field::origin,
                                   http::field::content_type, http::field::sec_websocket_version,
                                   http::field::access_control_request_method};
constexpr std::array<std::string_view, 4> single_names{"api-key", "X-Internal-Service-Key",
                                                       "Idempotency-Key", "Last-Event-ID"};

bool is_single(http::field field, std::string_view name) {
  return std::find(single_fields.begin(), single_fields.end(), field) != single_fields.end() ||
         std::any_of(single_names.begin(), single_names.end(),
                     [name](std::string_view one) { return equals_ignore_case(one, name); });
}

/// Each name once: joins the values of several lines in order (RFC 9110, section 5.3).
Result<HeaderList> join_lines(const RequestHead& head) {
  HeaderList joined;
  for (const auto& line : head) {
    const auto [first, last] = head.equal_range(line.name_string());
    if (&*first != &line) continue;
    const std::string name(line.name_string());
    std::string value(line.value());
    const bool single = is_single(line.name(), name);
    for (auto next = std::next(first); next != last; ++next) {
      if (single && next->value() != line.value()) {
        return Refusal(bad("The header " + name + " appears twice with different values."));
      }
      if (!single) value.append(", ").append(next->value());
    }
    joined.emplace_back(name, std::move(value));
  }
  return joined;
}

/// Checks the body's length (RFC 9112, sections 6.1 to 6.3). Beast is lenient with
/// Transfer-Encoding: it ignores an unknown coding, and would then read the body as the next
/// request.
std::optional<HttpResponse> refuse_length(const RequestHead& head, const HttpRequest& request,
                                          bool chunked) {
  if (head.count(http::field::transfer_encoding) == 0) return std::nullopt;
  if (head.version() < 11) return bad("HTTP/1.0 has no Transfer-Encoding.");
  if (head.count(http::field::content_length) > 0) {
    return bad("A request must not have both Transfer-Encoding and Content-Length.");
  }
  if (!chunked || !equals_ignore_case(request.header("Transfer-Encoding"), "chunked")) {
    return bad("The only supported Transfer-Encoding is 'chunked'.");
  }
  return std::nullopt;
}

/// A host name may contain a comma (RFC 3986), but not in DNS: a reader of lists sees two hosts.
bool may_be_two(std::string_view host) { return host.find(',') != host.npos; }

/// One valid Host in HTTP/1.1, at most one in HTTP/1.0 (RFC 9112, section 3.2).
std::optional<HttpResponse> refuse_host(const RequestHead& head) {
  const std::size_t hosts = head.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && head.version() >= 11)) {
    return bad("An HTTP/1.1 request must have exactly one Host header.");
  }
  if (hosts == 0) return std::nullopt;
  const auto host = parse_authority(head[http::field::host]);
  if (!host || host->user_info || may_be_two(host->host))
    return bad("The Host header does not name a host.");
  return std::nullopt;
}

void set_host(HttpRequest& request, std::string host) {
  for (auto& [name, value] : request.headers) {
    if (equals_ignore_case(name, "Host")) {
      value = std::move(host);
      return;
    }
  }
  request.headers.emplace_back("Host", std::move(host));
}

/// `http://host/path`: the target's host replaces the Host header (RFC 9112, section 3.2.2). A host
/// must follow `//` (RFC 9110, section 4.2).
std::optional<HttpResponse> take_absolute(const RequestHead& head, HttpRequest& request) {
  const auto url = parse_url(head.target());
  const bool is_http = url && (url->scheme == "http" || url->scheme == "https");
  if (!is_http || url->host.empty() || may_be_two(url->host) || !url->fragment.empty())
    return bad("The request target is neither a path nor an http URL.");
  if (url->user_info) {
    return bad("The request target contains a user name. Send credentials in headers.");
  }
  set_host(request, authority(url->host, url->port));
  const bool asterisk = url->path.empty() && url->query.empty() && request.method == "OPTIONS";
  request.target = asterisk ? "*" : (url->path.empty() ? "/" : url->path) + url->query;
  return std::nullopt;
}

/// Checks the four forms of a target (RFC 9112, section 3.2).
std::optional<HttpResponse> refuse_target(const RequestHead& head, HttpRequest& request) {
  if (head.method() == http::verb::connect) {
    HttpResponse refused = problem(405, "method not allowed", "This relay is not an HTTP proxy.");
    refused.headers.emplace_back("Allow", all_methods);
    return refused;
  }
  request.target = std::string(head.target());
  const bool origin_form = request.target.starts_with('/');
  if (!origin_form && request.target != "*") {
    if (auto refused = take_absolute(head, request)) return refused;
  }
  if (request.target == "*") {
    if (request.method != "OPTIONS") return bad("Only OPTIONS can have the request target '*'.");
    request.path = "*";
    return std::nullopt;
  }
  if (request.target.find('#') != std::string::npos || !parse_target(request.target, request)) {
    return bad("The request target is not a valid path.");
  }
  return std::nullopt;
}

bool names_websocket(std::string_view upgrade) {
  const auto protocols = split_list(upgrade);
  return std::any_of(protocols.begin(), protocols.end(),
                     [](const std::string& one) { return equals_ignore_case(one, "websocket"); });
}

bool asks_for_websocket(const RequestHead& head, const HttpRequest& request, bool upgrade) {
  return upgrade && head.version() >= 11 && request.method == "GET" &&
         names_websocket(request.header("Upgrade"));
}

/// The handshake is a GET without a body and with one key (RFC 6455, section 4.1).
std::optional<HttpResponse> refuse_upgrade(const RequestHead& head,
                                           const http::basic_parser<true>& parser) {
  if (parser.chunked() || parser.content_length().value_or(0) > 0) {
    return bad("A WebSocket request must not have a body.");
  }
  if (head.count(http::field::sec_websocket_key) > 1) {
    return bad("A WebSocket request must have exactly one Sec-WebSocket-Key header.");
  }
  return std::nullopt;
}

}  // namespace

Result<HttpRequest> read_head(const RequestHead& head, const http::basic_parser<true>& parser) {
  HttpRequest request;
  request.method = std::string(head.method_string());
  auto joined = join_lines(head);
  if (!joined) return Refusal(std::move(joined).error());
  request.headers = *std::move(joined);
  if (auto refused = refuse_length(head, request, parser.chunked()))
    return Refusal(std::move(*refused));
  if (auto refused = refuse_host(head)) return Refusal(std::move(*refused));
  if (auto refused = refuse_target(head, request)) return Refusal(std::move(*refused));
  request.upgrade = asks_for_websocket(head, request, parser.upgrade());
  if (request.upgrade) {
    if (auto refused = refuse_upgrade(head, parser)) return Refusal(std::move(*refused));
  }
  return request;
}

std::string path_of_unreadable(const RequestHead& head, std::string_view bytes) {
  std::string target(head.target());
  if (target.empty()) {
    const std::string_view line = bytes.substr(0, bytes.find_first_of("\r\n"));
    const std::size_t begin = line.find(' ');
    if (begin == line.npos) return {};
    target = std::string(line.substr(begin + 1, line.find(' ', begin + 1) - begin - 1));
  }
  HttpRequest request;
  parse_target(target, request);
  return request.path;
}

bool seems_to_ask_for_websocket(const RequestHead& head, std::string_view path) {
  if (head.method() != http::verb::get && head.method() != http::verb::unknown) return false;
  return path == "/v1/realtime" || names_websocket(head[http::field::upgrade]);
}

std::optional<HttpResponse> refuse_body(const HttpRequest& request) {
  const auto codings = split_list(request.header("Content-Encoding"));
  const auto unknown = [](const std::string& one) { return !equals_ignore_case(one, "identity"); };
  if (std::any_of(codings.begin(), codings.end(), unknown)) {
    HttpResponse refused =
        problem(415, "unsupported media type", "Send the body without a Content-Encoding.");
    refused.headers.emplace_back("Accept-Encoding", "identity");
    return refused;
  }
  for (const std::string& expected : split_list(request.header("Expect"))) {
    if (!equals_ignore_case(expected, "100-continue")) {
      return problem(417, "expectation failed", "The only supported expectation is 100-continue.");
    }
  }
  return std::nullopt;
}

bool expects_continue(const HttpRequest& request) { return !request.header("Expect").empty(); }

}  // namespace verbatim::net
