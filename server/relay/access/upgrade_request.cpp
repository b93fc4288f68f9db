#include "server/relay/access/upgrade_request.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>
#include <utility>

#include "base/crypto.hpp"
#include "base/ids.hpp"

namespace verbatim::access {

namespace {

bool is_base64_of_16_bytes(std::string_view key) {
  constexpr std::size_t digits = 22;
  return key.size() == digits + 2 && key.ends_with("==") &&
         std::all_of(key.begin(), key.begin() + digits,
                     [](unsigned char c) { return std::isalnum(c) != 0 || c == '+' || c == '/'; });
}

// Requirements of the handshake (RFC 6455, section 4.2.1), checked first.
std::optional<net::HttpResponse> bad_handshake(const net::HttpRequest& request) {
  if (request.header("Sec-WebSocket-Version") != "13") {
    net::HttpResponse refused =
        net::openai_error(426, "unsupported_version",
                          "This server supports version 13 of the WebSocket protocol (RFC 6455).");
    refused.headers.emplace_back("Sec-WebSocket-Version", "13");
    refused.headers.emplace_back("Upgrade", "websocket");
    refused.headers.emplace_back("Connection", "Upgrade");
    return refused;
  }
  const std::string_view key = request.header("Sec-WebSocket-Key");
  if (!is_base64_of_16_bytes(key)) {
    return net::openai_error(400, "invalid_handshake",
                             "The header Sec-WebSocket-Key must hold 16 bytes in base64.");
  }
  return std::nullopt;
}

}  // namespace

net::Result<RealtimeCall> examine_upgrade(const net::HttpRequest& request,
                                          const Authenticator& authenticator,
                                          const OriginRules& origins, TimeMs now) {
  if (auto refused = bad_handshake(request)) return net::Refusal(std::move(*refused));
  auto authenticated = authenticator.authenticate(request, now / 1000);
  if (const auto* failure = std::get_if<AuthFailure>(&authenticated)) {
    net::HttpResponse refused = net::openai_error(failure->status, failure->code, failure->message);
    refused.headers.emplace_back("WWW-Authenticate", "Bearer");
    return net::Refusal(std::move(refused));
  }
  const Principal& principal = std::get<Principal>(authenticated);
  if (!credential_of(request).in_header && !origins.admit(request)) {
    return net::Refusal(net::openai_error(
        403, "origin_not_allowed",
        "This page's origin is not allowed to connect: " + std::string(request.header("Origin")) +
            ". Add it to server.allowed_origins."));
  }
  if (request.parameter("call_id")) {
    return net::Refusal(
        net::openai_error(400, "unsupported_parameter",
                          "The query parameter 'call_id' is not supported: connect with 'model'."));
  }
  const std::string_view intent = request.parameter("intent").value_or("conversation");
  if (intent != "conversation" && intent != "transcription") {
    return net::Refusal(net::openai_error(400, "invalid_intent",
                                          "'intent' must be 'conversation' or 'transcription'."));
  }
  RealtimeCall call;
  call.user = principal.user;
  call.credential_id = principal.credential_id();
  call.transcription = intent == "transcription";
  call.by_token = principal.claims && principal.claims->user_named;
  if (principal.claims) {
    call.session_id = principal.claims->session_id;
    call.metadata_json = principal.claims->metadata_json;
    call.model = principal.claims->model;
    call.token = principal.claims;
    call.token_expired = principal.expired;
  }
  if (const auto asked = request.parameter("session")) {
    if (!is_valid_session_id(*asked)) {
      return net::Refusal(
          net::openai_error(400, "invalid_session_id",
                            "'session' must be 1 to 128 letters, digits, '_', '-', '.' or ':'."));
    }
    const bool bound = principal.claims && !principal.claims->session_open;
    if (bound && call.session_id != *asked) {
      // Do not reveal who owns the session, or whether it exists.
      return net::Refusal(net::openai_error(
          404, "session_not_found", "There is no such session, or the token is not for it."));
    }
    call.session_id = std::string(*asked);
  }
  if (const auto after = request.parameter("after")) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(after->data(), after->data() + after->size(), number);
    if (error != std::errc() || end != after->data() + after->size()) {
      return net::Refusal(net::openai_error(
          400, "invalid_after", "'after' must be the number of messages received so far."));
    }
    call.after = number;
  }
  if (call.session_id.empty()) call.session_id = new_id("sess_", now);
  if (call.model.empty()) call.model = std::string(request.parameter("model").value_or(""));
  const auto offered = net::split_list(request.header("Sec-WebSocket-Protocol"));
  const auto offers = [&offered](const char* name) {
    return std::find(offered.begin(), offered.end(), name) != offered.end();
  };
  if (offers("realtime")) {
    call.protocol = "realtime";
  } else if (offers("verbatim.v1")) {
    call.protocol = "verbatim.v1";
  }
  call.extension_events =
      offers("verbatim.v1") || request.parameter("events").value_or("") == "verbatim";
  if (const auto audio = request.parameter("audio")) {
    if (*audio != "binary" && *audio != "json") {
      return net::Refusal(
          net::openai_error(400, "invalid_audio", "'audio' must be 'json' or 'binary'."));
    }
    // A client without verbatim.session cannot learn that binary audio was granted.
    call.binary_audio = *audio == "binary" && call.extension_events;
  }
  call.dialect = protocol::client_dialect(offered, net::split_list(request.header("OpenAI-Beta")));
  return call;
}

}  // namespace verbatim::access
