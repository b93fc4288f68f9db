#include "server/net/ws_handshake.hpp"

#include <algorithm>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <cctype>
#include <utility>

#include "base/base64.hpp"
#include "base/crypto.hpp"
#include "base/json/view.hpp"
#include "server/net/read_message.hpp"
#include "server/net/request_id.hpp"
#include "session/protocol/error_code.hpp"

namespace verbatim::net {

namespace beast = boost::beast;
namespace http = beast::http;

namespace {

/// Proves that the server has read this key (RFC 6455, section 1.3).
std::string accept_of(std::string_view key) {
  return base64(sha1(std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
}

/// Limit on the body of a provider's refusal, which is usually a few lines.
constexpr std::uint64_t refusal_bytes_max = 64 * 1024;
/// A generous limit on the head of the provider's answer.
constexpr std::size_t head_bytes_max = 64 * 1024;

/// Whether all lines of this field are empty.
bool chooses_nothing(const http::response<http::string_body>& response, http::field field) {
  const auto [first, last] = response.equal_range(field);
  return std::all_of(first, last, [](const auto& line) {
    return line.value().find_first_not_of(" \t,") == std::string_view::npos;
  });
}

/// The error code in the provider's body. The rest is free text, which may repeat a key or text of
/// the conversation.
std::string refusal_code(std::string_view body) {
  const auto view = verbatim::json::View::of(body);
  const auto error = view["error"];
  const std::string code =
      protocol::plain_code({error["code"], error["type"], error["status"], view["code"]});
  return code == "other" ? std::string() : code;
}

}  // namespace

bool is_websocket_key(std::string_view key) {
  constexpr std::size_t digits = 22;
  return key.size() == digits + 2 && key.ends_with("==") &&
         std::all_of(key.begin(), key.begin() + digits,
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '+' || c == '/'; });
}

std::string upgrade_answer(std::string_view key, std::string_view protocol,
                           std::string_view request_id) {
  std::string head =
      "HTTP/1.1 101 Switching Protocols\r\nServer: verbatim\r\nUpgrade: websocket\r\n"
      "Connection: Upgrade\r\nSec-WebSocket-Accept: " +
      accept_of(key) + "\r\n";
  const auto add = [&head](std::string_view name, std::string_view value) {
    if (!value.empty()) head.append(name).append(": ").append(value).append("\r\n");
  };
  add("Sec-WebSocket-Protocol", protocol);
  add(request_id_header, request_id);
  return head + "\r\n";
}

Awaitable<std::unique_ptr<Peer>> accept_websocket(Transport transport, const HttpRequest& request,
                                                  std::string protocol, WebSocketLimits limits) {
  const std::string_view key = request.header("Sec-WebSocket-Key");
  if (key.empty()) co_return nullptr;
  const std::string answer = upgrade_answer(key, protocol, request.id);
  const auto [ec, size] = co_await asio::async_write(transport, asio::buffer(answer), use_tuple);
  if (ec) co_return nullptr;
  co_return std::make_unique<WsPeer>(WsRole::server, std::move(transport), limits);
}

Awaitable<tl::expected<std::unique_ptr<Peer>, HandshakeRefused>> open_websocket(
    Transport transport, std::string host, std::string target, HeaderList headers,
    WebSocketLimits limits) {
  const std::string key = base64(random_bytes(16));
  http::request<http::empty_body> request(http::verb::get, target, 11);
  request.set(http::field::host, host);
  request.set(http::field::upgrade, "websocket");
  request.set(http::field::connection, "Upgrade");
  request.set(http::field::sec_websocket_key, key);
  request.set(http::field::sec_websocket_version, "13");
  for (const auto& [name, value] : headers) request.set(name, value);
  HandshakeRefused refused;
  const auto [unsent, sent] = co_await http::async_write(transport, request, use_tuple);
  if (unsent) {
    refused.reason = unsent.message();
    co_return tl::unexpected(std::move(refused));
  }
  beast::flat_buffer buffer(2 * head_bytes_max);
  http::response_parser<http::string_body> parser;
  parser.header_limit(head_bytes_max + 1);
  parser.body_limit(refusal_bytes_max);
  if (const error_code ec = co_await read_header(transport, buffer, parser, head_bytes_max)) {
    refused.reason = ec.message();
    co_return tl::unexpected(std::move(refused));
  }
  const auto& response = parser.get();
  if (response.result() != http::status::switching_protocols) {
    // Read as much of the reason as arrives.
    co_await read_body(transport, buffer, parser);
    refused.status = static_cast<int>(response.result_int());
    refused.reason = "the upgrade was refused";
    refused.code = refusal_code(response.body());
    co_return tl::unexpected(std::move(refused));
  }
  if (!http::token_list(response[http::field::upgrade]).exists("websocket") ||
      !http::token_list(response[http::field::connection]).exists("upgrade") ||
      std::string_view(response[http::field::sec_websocket_accept]) != accept_of(key)) {
    refused.reason = "its answer to the upgrade is not a WebSocket handshake";
    co_return tl::unexpected(std::move(refused));
  }
  // Neither was requested (RFC 6455, section 4.1); with one of them, frames would have another
  // meaning.
  for (const auto field :
       {http::field::sec_websocket_extensions, http::field::sec_websocket_protocol}) {
    if (!chooses_nothing(response, field)) {
      refused.reason =
          "its answer to the upgrade has an extension or a subprotocol that was not "
          "requested";
      co_return tl::unexpected(std::move(refused));
    }
  }
  std::string early(static_cast<const char*>(buffer.data().data()), buffer.size());
  co_return std::make_unique<WsPeer>(WsRole::client, std::move(transport), limits,
                                     std::move(early));
}

}  // namespace verbatim::net
