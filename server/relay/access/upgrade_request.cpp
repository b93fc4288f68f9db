#include "server/relay/access/upgrade_request.hpp"

#include <charconv>
#include <optional>
#include <utility>

#include "base/ids.hpp"
#include "server/net/subprotocols.hpp"
#include "server/net/ws_handshake.hpp"

namespace verbatim::access {

namespace {

// Requirements of the handshake (RFC 6455, section 4.2.1), checked first.
std::optional<net::HttpResponse> bad_handshake(const net::HttpRequest& request) {
  if (request.header("Sec-WebSocket-Version") != "13") {
    net::HttpResponse refused =
        net::openai_error(426, "unsupported_version",
                          "This relay supports version 13 of the WebSocket protocol (RFC 6455).");
    refused.headers.emplace_back("Sec-WebSocket-Version", "13");
    refused.headers.emplace_back("Upgrade", "websocket");
    refused.headers.emplace_back("Connection", "Upgrade");
    return refused;
  }
  const std::string_view key = request.header("Sec-WebSocket-Key");
  if (!net::is_websocket_key(key)) {
    return net::openai_error(400, "invalid_handshake",
                             "The header Sec-WebSocket-Key must hold 16 bytes in base64.");
  }
  return std::nullopt;
}

net::Refusal refusal(int status, const char* code, const std::string& message) {
  return net::Refusal(net::openai_error(status, code, message));
}

net::Result<Principal> authenticate(const net::HttpRequest& request,
                                    const Authenticator& authenticator, const OriginRules& origins,
                                    TimeMs now) {
  auto authenticated = authenticator.authenticate(request, now / 1000);
  if (!authenticated) {
    const AuthFailure& failure = authenticated.error();
    net::HttpResponse refused = net::openai_error(failure.status, failure.code, failure.message);
    refused.headers.emplace_back("WWW-Authenticate", "Bearer");
    return net::Refusal(std::move(refused));
  }
  if (!credential_of(request).in_header && !origins.admit(request)) {
    return refusal(
        403, "origin_not_allowed",
        "This page's origin is not allowed to connect: " + std::string(request.header("Origin")) +
            ". Add it to server.allowed_origins.");
  }
  return *std::move(authenticated);
}

/// Whether the client asks for a transcription session.
net::Result<bool> read_intent(const net::HttpRequest& request) {
  if (request.parameter("call_id")) {
    return refusal(400, "unsupported_parameter",
                   "The query parameter 'call_id' is not supported: connect with 'model'.");
  }
  const std::string_view intent = request.parameter("intent").value_or("conversation");
  if (intent != "conversation" && intent != "transcription") {
    return refusal(400, "invalid_intent", "'intent' must be 'conversation' or 'transcription'.");
  }
  return intent == "transcription";
}

/// The session that the token or the client names; a new id if neither does.
net::Result<std::string> read_session_id(const net::HttpRequest& request,
                                         const std::optional<TokenClaims>& claims, TimeMs now) {
  std::string id = claims ? claims->session_id : std::string();
  if (const auto asked = request.parameter("session")) {
    if (!is_valid_session_id(*asked)) {
      return refusal(400, "invalid_session_id",
                     "'session' must be 1 to 128 letters, digits, '_', '-', '.' or ':'.");
    }
    if (claims && !claims->session_open && id != *asked) {
      // Do not reveal who owns the session, or whether it exists.
      return refusal(404, "session_not_found",
                     "There is no such session, or the token is not for it.");
    }
    id = std::string(*asked);
  }
  return id.empty() ? new_sortable_id("sess_", now) : id;
}

net::Result<std::optional<std::uint64_t>> read_after(const net::HttpRequest& request) {
  const auto after = request.parameter("after");
  if (!after) return std::nullopt;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(after->data(), after->data() + after->size(), number);
  if (error != std::errc() || end != after->data() + after->size()) {
    return refusal(400, "invalid_after", "'after' must be the number of messages received so far.");
  }
  return number;
}

/// Whether the client asks for audio as binary frames.
net::Result<bool> read_audio(const net::HttpRequest& request) {
  const std::string_view audio = request.parameter("audio").value_or("json");
  if (audio != "binary" && audio != "json")
    return refusal(400, "invalid_audio", "'audio' must be 'json' or 'binary'.");
  return audio == "binary";
}

/// The offers in the client's subprotocols.
void read_offers(const net::HttpRequest& request, RealtimeCall& call) {
  const auto offered = net::offered_subprotocols(request);
  call.protocol = net::selected_subprotocol(offered);
  call.extension_events = net::offers(offered, net::subprotocols::verbatim_v1) ||
                          request.parameter("events").value_or("") == "verbatim";
  call.dialect = protocol::client_dialect(offered, net::split_list(request.header("OpenAI-Beta")));
}

}  // namespace

net::Result<RealtimeCall> examine_upgrade(const net::HttpRequest& request,
                                          const Authenticator& authenticator,
                                          const OriginRules& origins, TimeMs now) {
  if (auto refused = bad_handshake(request)) return net::Refusal(std::move(*refused));
  auto principal = authenticate(request, authenticator, origins, now);
  if (!principal) return net::Refusal(std::move(principal).error());
  auto transcription = read_intent(request);
  if (!transcription) return net::Refusal(std::move(transcription).error());
  auto session_id = read_session_id(request, principal->claims, now);
  if (!session_id) return net::Refusal(std::move(session_id).error());
  auto after = read_after(request);
  if (!after) return net::Refusal(std::move(after).error());
  auto binary_audio = read_audio(request);
  if (!binary_audio) return net::Refusal(std::move(binary_audio).error());

  RealtimeCall call;
  call.names_session =
      request.parameter("session") || (principal->claims && !principal->claims->session_id.empty());
  call.session_id = *std::move(session_id);
  call.user = principal->user;
  call.credential_id = principal->credential_id();
  call.transcription = *transcription;
  call.after = *after;
  if (principal->claims) {
    call.by_token = principal->claims->user_named;
    call.metadata_json = principal->claims->metadata_json;
    call.model = principal->claims->model;
    call.token = std::move(principal->claims);
    call.token_expired = principal->expired;
  }
  if (call.model.empty()) call.model = std::string(request.parameter("model").value_or(""));
  read_offers(request, call);
  // A client without verbatim.session cannot learn that binary audio was granted.
  call.binary_audio = *binary_audio && call.extension_events;
  return call;
}

}  // namespace verbatim::access
