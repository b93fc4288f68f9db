#include "server/fleet/peers/peer_token.hpp"

#include "base/base64.hpp"
#include "base/crypto.hpp"
#include "base/json/dump.hpp"
#include "base/json/tree.hpp"

namespace verbatim::peers {

namespace {

std::optional<PeerClaims> claims_of(const Json& payload) {
  if (!payload.is_object()) return std::nullopt;
  const auto text = [&payload](const char* name) {
    const auto at = payload.find(name);
    return at != payload.end() && at->is_string() ? at->get<std::string>() : std::string();
  };
  const auto number = [&payload](const char* name) {
    const auto at = payload.find(name);
    return at != payload.end() && at->is_number_integer() ? at->get<std::int64_t>() : 0;
  };
  PeerClaims claims;
  claims.session_id = text("session");
  claims.to = number("to");
  claims.made_at_s = number("at");
  claims.remote = text("remote");
  claims.secure = payload.value("secure", Json()) == true;
  claims.proxied = payload.value("proxied", Json()) == true;
  if (claims.session_id.empty()) return std::nullopt;
  return claims;
}

}  // namespace

std::string mint_peer_token(std::string_view key, const PeerClaims& claims) {
  const std::string body = base64url(dump(Json{{"session", claims.session_id},
                                               {"to", claims.to},
                                               {"at", claims.made_at_s},
                                               {"remote", claims.remote},
                                               {"secure", claims.secure},
                                               {"proxied", claims.proxied}}));
  return body + "." + base64url(hmac_sha256(key, body));
}

std::optional<PeerClaims> read_peer_token(std::string_view key, std::string_view token,
                                          std::int64_t incarnation, std::int64_t now_s,
                                          PeerRefusal& why) {
  why = PeerRefusal::not_signed;
  const std::size_t dot = token.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::string_view body = token.substr(0, dot);
  const auto signature = from_base64url(token.substr(dot + 1));
  if (!signature || !equal_secrets(*signature, hmac_sha256(key, body))) return std::nullopt;
  const auto decoded = from_base64url(body);
  if (!decoded) return std::nullopt;
  auto claims = claims_of(Json::parse(*decoded, nullptr, false));
  if (!claims) return std::nullopt;
  // A node without an incarnation has not joined the fleet yet.
  if (incarnation == 0 || claims->to != incarnation) {
    why = PeerRefusal::other_node;
    return std::nullopt;
  }
  const std::int64_t age_s = now_s - claims->made_at_s;
  if (age_s > token_lifetime_s || age_s < -token_lifetime_s) {
    why = PeerRefusal::too_old;
    return std::nullopt;
  }
  why = PeerRefusal::none;
  return claims;
}

}  // namespace verbatim::peers
