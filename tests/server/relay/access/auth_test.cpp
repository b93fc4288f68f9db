// API keys and client tokens: minting, reading, refusing.
#include "server/relay/access/auth.hpp"

#include <catch2/catch.hpp>

#include "base/base64.hpp"
#include "base/crypto.hpp"

using namespace verbatim;
using namespace verbatim::access;
using namespace verbatim::net;

namespace {

constexpr std::int64_t now_s = 1'800'000'000;
const std::string secret(32, 's');

TokenClaims claims() {
  TokenClaims made;
  made.id = "cs_1";
  made.user = "ann";
  made.session_id = "sess_1";
  made.metadata_json = R"({"course":"7"})";
  made.model = "gpt-realtime";
  made.expires_at_s = now_s + 60;
  return made;
}

HttpRequest bearing(const std::string& credential) {
  HttpRequest request;
  request.headers.emplace_back("Authorization", "Bearer " + credential);
  return request;
}

std::string refused_with(const Authenticator& authenticator, const HttpRequest& request) {
  const auto result = authenticator.authenticate(request, now_s);
  return result ? std::string() : result.error().code;
}

}  // namespace

TEST_CASE("a client token reads back as it was minted", "[auth]") {
  const Authenticator authenticator({}, secret, false);
  const std::string token = authenticator.mint(claims());
  REQUIRE(token.starts_with("ek_"));
  const auto result = authenticator.authenticate(bearing(token), now_s);
  const Principal& principal = result.value();
  REQUIRE(principal.kind == Principal::Kind::client_token);
  REQUIRE(principal.user == "ann");
  REQUIRE(principal.claims->id == "cs_1");
  REQUIRE(principal.claims->session_id == "sess_1");
  REQUIRE(principal.claims->metadata_json == R"({"course":"7"})");
  REQUIRE(principal.claims->model == "gpt-realtime");
}

TEST_CASE("a client token comes in a subprotocol as well", "[auth][P9]") {
  const Authenticator authenticator({}, secret, false);
  HttpRequest request;
  request.headers.emplace_back(
      "sec-websocket-protocol",
      "realtime, openai-insecure-api-key." + authenticator.mint(claims()) + ", other.v1");
  REQUIRE(authenticator.authenticate(request, now_s).has_value());
}

TEST_CASE("a client token's expiry is returned, and the caller checks it", "[auth]") {
  const Authenticator authenticator({}, secret, false);
  const auto expired = [&](std::int64_t at) {
    TokenClaims late = claims();
    late.expires_at_s = at;
    const auto result = authenticator.authenticate(bearing(authenticator.mint(late)), now_s);
    return result.value().expired;
  };
  CHECK(expired(now_s));
  CHECK(expired(0));
  CHECK_FALSE(expired(now_s + 1));
}

TEST_CASE("a client token says whether the store holds content for it", "[auth]") {
  const Authenticator authenticator({}, secret, false);
  TokenClaims made = claims();
  CHECK_FALSE(authenticator.read_token(authenticator.mint(made))->configured);
  made.configured = true;
  made.content_key = std::string("\0\xff key", 6);
  CHECK(authenticator.read_token(authenticator.mint(made))->configured);
  CHECK(authenticator.read_token(authenticator.mint(made))->content_key == made.content_key);
  // Older programs gave an id only to tokens that have settings.
  const auto older = [&](const std::string& payload) {
    const std::string body = base64url(payload);
    return authenticator.read_token("ek_" + body + "." + base64url(hmac_sha256(secret, body)));
  };
  CHECK(older(R"({"v":1,"id":"cs_1"})")->configured);
  CHECK(older(R"({"v":1,"id":"cs_1"})")->content_key.empty());
  CHECK_FALSE(older(R"({"v":1,"id":""})")->configured);
}

TEST_CASE("a client token that would not fit into a request's head is too long",
          "[auth][limits][P11]") {
  CHECK(token_bytes_max(16 * 1024) == 14 * 1024);
  CHECK(token_bytes_max(1024) == 512);
  CHECK(token_bytes_max(1024 * 1024) == 1022 * 1024);
  const Authenticator authenticator({}, secret, false);
  for (const std::size_t head : {1024U, 4096U, 16384U, 65536U}) {
    std::size_t longest = 0;
    for (std::size_t user = 1; user < 2 * head; user += 1 + head / 512) {
      TokenClaims made = claims();
      made.user = std::string(user, 'u');
      const std::string token = authenticator.mint(made);
      const auto why = too_long(token, head, {{"'x'", made.metadata_json}, {"'user'", made.user}});
      INFO(head << ' ' << user);
      REQUIRE(why.has_value() == (token.size() > token_bytes_max(head)));
      if (!why) longest = token.size();
      if (why) REQUIRE(why->starts_with("'user' has " + std::to_string(user) + " bytes"));
      if (why) REQUIRE(why->find(std::to_string(token_bytes_max(head))) != why->npos);
    }
    CHECK(longest > head / 4);
  }
}

TEST_CASE("a client token that was changed, or signed by another, is refused", "[auth]") {
  const Authenticator authenticator({}, secret, false);
  const std::string token = authenticator.mint(claims());
  for (std::size_t i = 3; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    REQUIRE(refused_with(authenticator, bearing(changed)) == "invalid_token");
  }
  const Authenticator other({}, std::string(32, 'o'), false);
  REQUIRE(refused_with(other, bearing(token)) == "invalid_token");
  for (const char* nonsense : {"ek_", "ek_.", "ek_e30.", "ek_....", "ek_\xff\xfe"}) {
    REQUIRE(refused_with(authenticator, bearing(nonsense)) == "invalid_token");
  }
}

TEST_CASE("a token that was signed for another purpose is refused, with any content", "[auth]") {
  const Authenticator authenticator({}, secret, false);
  const auto sign = [](const std::string& payload) {
    const std::string body = base64url(payload);
    return "ek_" + body + "." + base64url(hmac_sha256(secret, body));
  };
  for (const char* payload : {"", "null", "[]", "{}", "{", R"({"v":"1"})", R"({"v":{}})",
                              R"({"v":2,"exp":1900000000})", R"({"v":null})"}) {
    INFO(payload);
    REQUIRE(refused_with(authenticator, bearing(sign(payload))) == "invalid_token");
  }
  // The right version, with members of other types: they count as missing.
  for (const char* payload : {R"({"v":1,"exp":"never"})", R"({"v":1,"exp":{},"open":"yes"})"}) {
    INFO(payload);
    const auto result = authenticator.authenticate(bearing(sign(payload)), now_s);
    REQUIRE(result.value().expired);
    REQUIRE_FALSE(result.value().claims->session_open);
  }
}

TEST_CASE("a back-end key is known by its hash", "[auth]") {
  const NewApiKey key = make_api_key();
  REQUIRE(key.key.starts_with("vk_"));
  const Authenticator authenticator({{"grader", key.sha256}}, secret, false);
  const auto result = authenticator.authenticate(bearing(key.key), now_s);
  const Principal& principal = result.value();
  REQUIRE(principal.kind == Principal::Kind::api_key);
  REQUIRE(principal.user == "grader");
  REQUIRE(refused_with(authenticator, bearing(make_api_key().key)) == "invalid_api_key");
}

TEST_CASE("without credentials only a development server admits", "[auth]") {
  REQUIRE(refused_with(Authenticator({}, secret, false), {}) == "missing_credentials");
  REQUIRE(refused_with(Authenticator({}, secret, false), bearing("sk-x")) == "invalid_api_key");
  HttpRequest here;
  here.headers.emplace_back("Host", "localhost");
  REQUIRE(refused_with(Authenticator({}, secret, true), here).empty());
  // A wrong token is refused even there: a client that sends one means to use it.
  REQUIRE(refused_with(Authenticator({}, secret, true), bearing("ek_x")) == "invalid_token");
}

TEST_CASE("a credential is taken from Authorization, then api-key, then the subprotocol",
          "[auth][P9]") {
  HttpRequest request;
  CHECK(credential_of(request).value.empty());
  CHECK_FALSE(credential_of(request).in_header);
  request.headers.emplace_back("Sec-WebSocket-Protocol",
                               "realtime, openai-insecure-api-key.ek_three");
  CHECK(credential_of(request).value == "ek_three");
  CHECK_FALSE(credential_of(request).in_header);
  request.headers.emplace_back("Api-Key", "ek_two");
  CHECK(credential_of(request).value == "ek_two");
  CHECK(credential_of(request).in_header);
  request.headers.emplace_back("authorization", "bearer   ek_one");
  CHECK(credential_of(request).value == "ek_one");
  CHECK(credential_of(request).in_header);
  request.headers.back().second = "Basic dXNlcjpwYXNz";
  CHECK(credential_of(request).value == "ek_two");
}

TEST_CASE("base64url decodes what it encodes, and refuses all other text", "[auth]") {
  for (std::size_t size = 0; size < 40; ++size) {
    const std::string bytes = random_bytes(size);
    REQUIRE(from_base64url(base64url(bytes)) == bytes);
  }
  for (const char* never : {"a+b/", "a", "abcde", "ab=", "ab==", "aB", "abD"}) {
    REQUIRE_FALSE(from_base64url(never));
  }
}
