// The token between nodes: only the node that it is for takes it, only in time.
#include "server/fleet/peers/peer_token.hpp"

#include <catch2/catch.hpp>

#include "base/base64.hpp"
#include "server/relay/access/auth.hpp"

using namespace verbatim;
using namespace verbatim::peers;

namespace {

constexpr std::int64_t token_time_s = 1'800'000'000;
const std::string peer_key(32, 'k');
const PeerClaims peer_claims{"sess_1", 7, token_time_s, "192.0.2.1", true, true};

PeerRefusal peer_refusal(const std::string& token, std::int64_t incarnation = 7,
                         std::int64_t at = token_time_s, const std::string& with = peer_key) {
  PeerRefusal why = PeerRefusal::none;
  const auto read = read_peer_token(with, token, incarnation, at, why);
  CHECK(read.has_value() == (why == PeerRefusal::none));
  return why;
}

}  // namespace

TEST_CASE("a peer's token says what the client is", "[fleet][peers][P14]") {
  PeerRefusal why = PeerRefusal::not_signed;
  const auto read =
      read_peer_token(peer_key, mint_peer_token(peer_key, peer_claims), 7, token_time_s, why);
  REQUIRE(read);
  CHECK(why == PeerRefusal::none);
  CHECK(read->session_id == "sess_1");
  CHECK(read->remote == "192.0.2.1");
  CHECK(read->secure);
  CHECK(read->proxied);
}

TEST_CASE("a peer's token is for one node, for a short time, and cannot be forged",
          "[fleet][peers][P14]") {
  const std::string token = mint_peer_token(peer_key, peer_claims);
  CHECK(peer_refusal(token) == PeerRefusal::none);
  CHECK(peer_refusal(token, 8) == PeerRefusal::other_node);
  CHECK(peer_refusal(token, 7, token_time_s + token_lifetime_s) == PeerRefusal::none);
  CHECK(peer_refusal(token, 7, token_time_s + token_lifetime_s + 1) == PeerRefusal::too_old);
  CHECK(peer_refusal(token, 7, token_time_s - token_lifetime_s - 1) == PeerRefusal::too_old);
  CHECK(peer_refusal(token, 7, token_time_s, std::string(32, 'x')) == PeerRefusal::not_signed);
  const std::size_t dot = token.find('.');
  PeerClaims other = peer_claims;
  other.session_id = "sess_2";
  const std::string foreign = mint_peer_token(peer_key, other);
  CHECK(peer_refusal(foreign.substr(0, foreign.find('.')) + token.substr(dot)) ==
        PeerRefusal::not_signed);
  for (const char* junk : {"", ".", "a.b", "e30."})
    CHECK(peer_refusal(junk) == PeerRefusal::not_signed);
}

TEST_CASE("a node without an incarnation takes no peer's token", "[fleet][peers][P14]") {
  PeerClaims without_node = peer_claims;
  without_node.to = 0;
  CHECK(peer_refusal(mint_peer_token(peer_key, without_node), 0) == PeerRefusal::other_node);
}

TEST_CASE("the key between nodes is neither the token secret nor a signature that clients see",
          "[fleet][peers][P14]") {
  const std::string secret(32, 's');
  const access::Authenticator one({}, secret, false);
  const access::Authenticator same({}, secret, false);
  const access::Authenticator other({}, std::string(32, 't'), false);
  CHECK(one.derived_key(peer_key_purpose) == same.derived_key(peer_key_purpose));
  CHECK(one.derived_key(peer_key_purpose) != other.derived_key(peer_key_purpose));
  CHECK(one.derived_key(peer_key_purpose) != one.derived_key("another"));
  CHECK(one.derived_key(peer_key_purpose) != secret);
}
