#include "server/net/refused_upgrade.hpp"

#include <algorithm>
#include <boost/asio/write.hpp>
#include <charconv>
#include <utility>

#include "base/json/dump.hpp"
#include "base/json/tree.hpp"
#include "server/net/request_id.hpp"
#include "server/net/subprotocols.hpp"
#include "server/net/write_response.hpp"
#include "server/net/ws_frame.hpp"
#include "server/net/ws_handshake.hpp"

namespace verbatim::net {

namespace {

/// Bytes of the reason in a log line: it may quote a peer's Origin.
constexpr std::size_t logged_bytes_max = 300;
/// Payload of a close frame besides its code (RFC 6455, section 5.5).
constexpr std::size_t close_reason_bytes_max = 123;

struct Reason {
  std::string type = "invalid_request_error";
  std::string code;
  std::string message;
};

/// Empty: there is no such text.
std::string text_of(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// Reads either form of error that the service makes.
Reason reason_of(const HttpResponse& refusal) {
  Reason reason;
  const Json body = Json::parse(refusal.body, nullptr, false);
  if (!body.is_object()) return reason;
  if (const auto error = body.find("error"); error != body.end() && error->is_object()) {
    if (std::string type = text_of(*error, "type"); !type.empty()) reason.type = std::move(type);
    reason.code = text_of(*error, "code");
    reason.message = text_of(*error, "message");
  } else {
    reason.code = text_of(body, "title");
    reason.message = text_of(body, "detail");
    std::replace(reason.code.begin(), reason.code.end(), ' ', '_');
  }
  return reason;
}

void log_reason(int status, const Reason& reason, const std::string& remote, const std::string& id,
                Log& log) {
  log.repeated(Repeated::upgrade_refused, {{"status", status},
                                           {"code", reason.code},
                                           {"why", reason.message.substr(0, logged_bytes_max)},
                                           {"remote", remote},
                                           {"request", id}});
}

Json retry_after(const HttpResponse& refusal) {
  for (const auto& [name, value] : refusal.headers) {
    int seconds = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (name == "Retry-After" && error == std::errc()) return seconds;
  }
  return nullptr;
}

std::string frame(Opcode opcode, const std::string& payload) {
  const FrameHead head = frame_head(WsRole::server, opcode, payload.size(), 0);
  return std::string(head.bytes.data(), head.size) + payload;
}

/// The upgrade, the event and the close. Code 1012 means "come back" and has no error event, since
/// the client did nothing wrong.
std::string as_websocket(const HttpResponse& refusal, const Reason& reason,
                         const AskedUpgrade& asked) {
  const std::uint16_t code = refusal_close_code(refusal.status, reason.code);
  std::string bytes = upgrade_answer(asked.key, asked.protocol, asked.id);
  if (code != close_codes::restart) {
    bytes += frame(Opcode::text, dump({{"type", "error"},
                                       {"event_id", "verbatim_" + asked.id},
                                       {"error",
                                        {{"type", reason.type},
                                         {"code", reason.code},
                                         {"message", reason.message},
                                         {"param", nullptr},
                                         {"event_id", nullptr},
                                         {"status", refusal.status},
                                         {"retry_after", retry_after(refusal)}}}}));
  }
  std::string close{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
  return bytes + frame(Opcode::close, close + reason.code.substr(0, close_reason_bytes_max));
}

}  // namespace

AskedUpgrade::AskedUpgrade(const HttpRequest& request)
    : path(request.path), remote(request.remote), id(request.id) {
  const auto offered = offered_subprotocols(request);
  const std::string_view given = request.header("Sec-WebSocket-Key");
  if (!offers(offered, subprotocols::verbatim_v1) || !is_websocket_key(given) ||
      request.header("Sec-WebSocket-Version") != "13")
    return;
  key = given;
  protocol = selected_subprotocol(offered);
}

std::uint16_t refusal_close_code(int status, std::string_view code) {
  if (code == "server_shutting_down") return close_codes::restart;
  if (code.starts_with("storage_")) return close_codes::internal;
  if (status == 401) return close_codes::unauthorised;
  if (status == 409 || status == 429 || status == 503) return close_codes::overloaded;
  return status >= 500 ? close_codes::internal : close_codes::policy;
}

void log_refused_upgrade(const HttpResponse& refusal, const std::string& remote,
                         const std::string& id, Log& log) {
  log_reason(refusal.status, reason_of(refusal), remote, id, log);
}

Awaitable<void> refuse_upgrade(Transport transport, HttpResponse refusal, const AskedUpgrade& asked,
                               std::chrono::milliseconds patience, Log& log) {
  const Reason reason = reason_of(refusal);
  log_reason(refusal.status, reason, asked.remote, asked.id, log);
  {
    const Deadline deadline(transport.get_executor(), patience, [&transport] {
      error_code ignored;
      transport.socket().close(ignored);
    });
    if (asked.protocol.empty()) {
      HttpResponse answer = uncached(std::move(refusal));
      add_request_id(answer, asked.id, false);
      co_await write_response(transport, std::move(answer), {});
    } else {
      const std::string bytes = as_websocket(refusal, reason, asked);
      co_await asio::async_write(transport, asio::buffer(bytes), use_tuple);
    }
  }
  co_await linger_close(transport);
}

}  // namespace verbatim::net
