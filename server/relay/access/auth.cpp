#include "server/relay/access/auth.hpp"

#include <algorithm>
#include <utility>

#include "base/base64.hpp"
#include "base/crypto.hpp"
#include "base/json/dump.hpp"
#include "base/json/tree.hpp"
#include "server/net/proxies.hpp"

namespace verbatim::access {

namespace {

constexpr std::string_view token_prefix = "ek_";
constexpr std::string_view key_prefix = "vk_";
constexpr std::string_view protocol_prefix = "openai-insecure-api-key.";

std::string text_or(const Json& object, const char* key, const char* fallback) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : fallback;
}

/// A part of the key's digest, which reveals nothing of the key.
std::string key_id(const config::ApiKey& key) { return key.sha256.substr(0, 16); }

/// No token's id has this prefix: those begin with cs_.
constexpr std::string_view key_id_prefix = "key_";

tl::unexpected<AuthFailure> failure(int status, const char* code, std::string message) {
  return tl::unexpected(AuthFailure{status, code, std::move(message)});
}

}  // namespace

std::size_t token_bytes_max(std::size_t header_bytes_max) {
  constexpr std::size_t bytes_beside_max = 2 * 1024;
  return header_bytes_max - std::min(bytes_beside_max, header_bytes_max / 2);
}

std::optional<std::string> too_long(
    std::string_view token, std::size_t header_bytes_max,
    std::initializer_list<std::pair<const char*, std::string_view>> fields) {
  const std::size_t most = token_bytes_max(header_bytes_max);
  if (token.size() <= most) return std::nullopt;
  const auto* const largest = std::max_element(
      fields.begin(), fields.end(),
      [](const auto& one, const auto& other) { return one.second.size() < other.second.size(); });
  return std::string(largest->first) + " has " + std::to_string(largest->second.size()) +
         " bytes, and the token would have " + std::to_string(token.size()) + ": more than the " +
         std::to_string(most) +
         " that fit into a request's head (server.header_bytes_max). Keep long values at your "
         "back end, or in private metadata.";
}

std::string Principal::credential_id() const {
  if (claims) return claims->id;
  return key_id.empty() ? std::string() : credential_of_key(key_id);
}

std::string credential_of_key(std::string_view key_id) {
  return std::string(key_id_prefix) + std::string(key_id);
}

bool is_of_key(std::string_view credential_id) { return credential_id.starts_with(key_id_prefix); }

Authenticator::Authenticator(std::vector<config::ApiKey> api_keys, std::string token_secret,
                             bool development, FromElsewhere from_elsewhere)
    : api_keys_(std::move(api_keys)),
      token_secret_(std::move(token_secret)),
      development_(development),
      from_elsewhere_(std::move(from_elsewhere)) {}

Credential credential_of(const net::HttpRequest& request) {
  const std::string_view authorization = request.header("Authorization");
  constexpr std::string_view scheme = "Bearer ";
  if (authorization.size() > scheme.size() &&
      net::equals_ignore_case(authorization.substr(0, scheme.size()), scheme)) {
    std::string_view value = authorization.substr(scheme.size());
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    return {value, true};
  }
  if (const std::string_view key = request.header("api-key"); !key.empty()) return {key, true};
  std::string_view offered = request.header("Sec-WebSocket-Protocol");
  while (!offered.empty()) {
    const std::size_t comma = offered.find(',');
    std::string_view one = offered.substr(0, comma);
    while (!one.empty() && one.front() == ' ') one.remove_prefix(1);
    while (!one.empty() && one.back() == ' ') one.remove_suffix(1);
    if (one.starts_with(protocol_prefix)) return {one.substr(protocol_prefix.size()), false};
    offered = comma == std::string_view::npos ? std::string_view{} : offered.substr(comma + 1);
  }
  return {};
}

AuthResult Authenticator::authenticate(const net::HttpRequest& request, std::int64_t now_s) const {
  const std::string_view credential = credential_of(request).value;
  if (credential.starts_with(token_prefix)) {
    auto claims = read_token(credential);
    if (!claims) {
      return failure(401, "invalid_token",
                     "The client token is not one of this relay's. Ask your back end for a "
                     "new one (POST /v1/realtime/client_secrets).");
    }
    Principal principal{Principal::Kind::client_token, claims->user, {}};
    principal.expired = claims->expires_at_s <= now_s;
    principal.claims = std::move(claims);
    return principal;
  }
  if (credential.starts_with(key_prefix)) {
    const std::string digest = to_hex(sha256(credential));
    const config::ApiKey* match = nullptr;
    for (const config::ApiKey& key : api_keys_) {
      if (equal_secrets(key.sha256, digest)) match = &key;
    }
    if (match) {
      Principal principal{Principal::Kind::api_key, match->name, {}};
      principal.key_id = key_id(*match);
      return principal;
    }
    return failure(401, "invalid_api_key", "The back-end key is not listed in auth.api_keys.");
  }
  // Public SDKs always send some key; the development mode accepts any.
  if (development_) return developer(request);
  if (!credential.empty()) {
    return failure(401, "invalid_api_key",
                   "The credential is neither a client token (ek_...) nor a back-end key "
                   "(vk_...) of this relay.");
  }
  return failure(401, "missing_credentials",
                 "Send a client token or a back-end key: Authorization: Bearer TOKEN, or the "
                 "subprotocol openai-insecure-api-key.TOKEN.");
}

/// A loopback address does not prove that the peer is on this machine. A local proxy may forward
/// for the whole Internet, and a foreign page may resolve its own name to our address (DNS
/// rebinding).
AuthResult Authenticator::developer(const net::HttpRequest& request) const {
  std::string_view why;
  if (request.proxied || net::names_proxy(request.headers)) {
    why = "the request has come through a proxy";
  } else if (!net::is_loopback_name(request.header("Host"))) {
    why = "the request names a host other than localhost, 127.0.0.1 or [::1]";
  } else {
    return Principal{Principal::Kind::development, "developer", {}};
  }
  if (from_elsewhere_) std::call_once(reported_, from_elsewhere_, why);
  return failure(403, "not_on_this_machine",
                 "Without a key the development mode answers only requests to localhost, from "
                 "this machine itself: " +
                     std::string(why) + ". Set auth.api_keys and send a key or a token.");
}

std::string Authenticator::derived_key(std::string_view purpose) const {
  return hmac_sha256(token_secret_, "verbatim key for " + std::string(purpose));
}

std::vector<std::string> Authenticator::key_ids() const {
  std::vector<std::string> ids;
  for (const config::ApiKey& key : api_keys_) ids.push_back(key_id(key));
  return ids;
}

bool Authenticator::has_key(std::string_view id) const {
  return std::any_of(api_keys_.begin(), api_keys_.end(),
                     [id](const config::ApiKey& key) { return key_id(key) == id; });
}

std::string Authenticator::mint(const TokenClaims& claims) const {
  Json payload = {{"v", 1},
                  {"id", claims.id},
                  {"user", claims.user},
                  {"session", claims.session_id},
                  {"exp", claims.expires_at_s}};
  payload["cfg"] = claims.configured;
  if (!claims.content_key.empty()) payload["key"] = base64url(claims.content_key);
  if (!claims.user_named) payload["unnamed"] = true;
  if (claims.session_open) payload["open"] = true;
  if (claims.metadata_json != "{}") payload["meta"] = Json::parse(claims.metadata_json);
  if (!claims.model.empty()) payload["model"] = claims.model;
  const std::string body = base64url(dump(payload));
  return std::string(token_prefix) + body + "." + base64url(hmac_sha256(token_secret_, body));
}

std::optional<TokenClaims> Authenticator::read_token(std::string_view token) const {
  if (!token.starts_with(token_prefix)) return std::nullopt;
  token.remove_prefix(token_prefix.size());
  const std::size_t dot = token.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view body = token.substr(0, dot);
  const auto signature = from_base64url(token.substr(dot + 1));
  if (!signature || !equal_secrets(*signature, hmac_sha256(token_secret_, body))) {
    return std::nullopt;
  }
  const auto decoded = from_base64url(body);
  if (!decoded) return std::nullopt;
  const Json payload = Json::parse(*decoded, nullptr, false);
  const auto number = [&payload](const char* key) {
    const auto at = payload.find(key);
    return at != payload.end() && at->is_number_integer() ? at->get<std::int64_t>() : 0;
  };
  // The signature proves who made the token, not its form: servers that share a secret may have
  // different versions.
  if (!payload.is_object() || number("v") != 1) return std::nullopt;
  TokenClaims claims;
  claims.id = text_or(payload, "id", "");
  // Older versions gave an id only to tokens with stored content.
  claims.configured = payload.value("cfg", Json(!claims.id.empty())) == true;
  claims.content_key = from_base64url(text_or(payload, "key", "")).value_or("");
  claims.user = text_or(payload, "user", "");
  claims.user_named = !(payload.contains("unnamed") && payload["unnamed"] == true);
  claims.session_id = text_or(payload, "session", "");
  claims.session_open = payload.contains("open") && payload["open"] == true;
  claims.model = text_or(payload, "model", "");
  if (payload.contains("meta")) claims.metadata_json = payload["meta"].dump();
  claims.expires_at_s = number("exp");
  return claims;
}

NewApiKey make_api_key() {
  NewApiKey made;
  made.key = std::string(key_prefix) + base64url(random_bytes(32));
  made.sha256 = to_hex(sha256(made.key));
  return made;
}

}  // namespace verbatim::access
