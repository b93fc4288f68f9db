// Which pages may connect, and where the origin is checked.
#include "server/relay/access/origin.hpp"

#include <catch2/catch.hpp>

#include "server/relay/access/upgrade_request.hpp"

using namespace verbatim;
using namespace verbatim::access;
using namespace verbatim::net;

namespace {

HttpRequest page(const std::string& origin, const std::string& host = "relay.test",
                 bool secure = true) {
  HttpRequest request;
  if (!host.empty()) request.headers.emplace_back("Host", host);
  if (!origin.empty()) request.headers.emplace_back("Origin", origin);
  request.secure = secure;
  return request;
}

const OriginRules& listed() {
  static const OriginRules rules({"https://App.Example.com:443", "http://localhost:3000"}, "");
  return rules;
}

}  // namespace

TEST_CASE("an origin is compared in lower case and without its scheme's usual port", "[auth]") {
  CHECK(normal_origin("https://App.Example.COM:443") == "https://app.example.com");
  CHECK(normal_origin("HTTP://app.example.com:80") == "http://app.example.com");
  CHECK(normal_origin("https://app.example.com:80") == "https://app.example.com:80");
  CHECK(normal_origin("http://[2001:DB8::1]:8080") == "http://[2001:db8::1]:8080");
  CHECK(normal_origin("https://[::1]:443") == "https://[::1]");
  CHECK(normal_origin("capacitor://localhost") == "capacitor://localhost");
  for (const char* none :
       {"", "null", "app.example.com", "//app.example.com", "https://", "https://app.example.com/",
        "https://app.example.com/x", "https://me@app.example.com", "https://app.example.com:x",
        "https://app.example.com:", "https://app.example.com ", "https://a b", "https://[::1",
        "://x", "https://a?b", "https://a#b"}) {
    INFO(none);
    CHECK_FALSE(normal_origin(none));
  }
}

TEST_CASE("only listed origins connect, near misses do not", "[auth]") {
  for (const char* good :
       {"", "https://app.example.com", "https://APP.example.com", "httpS://app.example.com",
        "HTTPS://APP.EXAMPLE.COM:443", "https://app.example.com:443", "http://localhost:3000"}) {
    INFO(good);
    CHECK(listed().admit(page(good)));
  }
  for (const char* near :
       {"http://app.example.com", "https://app.example.com:8443", "https://app.example.com/",
        "https://app.example.com.evil.test", "https://evilapp.example.com", "https://example.com",
        "https://app.example.com ", "null", "https://app.example.co", "http://localhost",
        "https://app.example.com@evil.test", "//app.example.com", "https://localhost:3000"}) {
    INFO(near);
    CHECK_FALSE(listed().admit(page(near)));
    CHECK_FALSE(listed().names(page(near)));
  }
}

TEST_CASE("the server's own page connects, with any list of origins", "[auth]") {
  for (const OriginRules& rules : {OriginRules(), listed()}) {
    CHECK(rules.admit(page("https://relay.test")));
    CHECK(rules.admit(page("https://Relay.test:443", "relay.TEST")));
    CHECK(rules.admit(page("https://127.0.0.1:8443", "127.0.0.1:8443")));
    CHECK(rules.admit(page("http://[::1]:8443", "[::1]:8443", false)));
    CHECK_FALSE(rules.admit(page("https://evil.test")));
    CHECK_FALSE(rules.admit(page("http://relay.test")));             // the relay has TLS
    CHECK_FALSE(rules.admit(page("https://relay.test:8443")));       // another port
    CHECK_FALSE(rules.admit(page("https://relay.test", "", true)));  // no Host
    CHECK_FALSE(rules.admit(page("https://relay.test", "relay.test", false)));
    CHECK_FALSE(rules.names(page("https://relay.test")));
  }
}

TEST_CASE("behind a proxy the server's own page is that of its public URL", "[auth]") {
  const OriginRules rules({}, "https://voice.example.com/relay");
  CHECK(rules.admit(page("https://voice.example.com", "voice.example.com", false)));
  CHECK(rules.admit(page("https://voice.example.com", "10.0.0.7:8443", false)));
  CHECK(rules.admit(page("http://10.0.0.7:8443", "10.0.0.7:8443", false)));  // past the proxy
  CHECK_FALSE(rules.admit(page("https://voice.example.com.evil.test", "10.0.0.7", false)));
  CHECK_FALSE(rules.admit(page("http://voice.example.com", "10.0.0.7", false)));
}

TEST_CASE("an origin is asked where a page can have connected by itself, and nowhere else",
          "[auth]") {
  const std::string secret(32, 's');
  const Authenticator authenticator({}, secret, false);
  TokenClaims claims;
  claims.user = "ann";
  claims.session_id = "s1";
  claims.expires_at_s = 1000;
  const std::string token = authenticator.mint(claims);
  const auto status = [](const Authenticator& by, HttpRequest request) {
    request.headers.emplace_back("Sec-WebSocket-Version", "13");
    request.headers.emplace_back("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    const auto examined = examine_upgrade(request, by, listed(), 1);
    return examined ? 101 : examined.error().status;
  };
  const auto with = [](HttpRequest request, const char* name, const std::string& value) {
    request.headers.emplace_back(name, value);
    return request;
  };
  const HttpRequest evil = page("https://evil.test");
  CHECK(status(authenticator, with(evil, "Authorization", "Bearer " + token)) == 101);
  CHECK(status(authenticator, with(evil, "api-key", token)) == 101);
  const std::string offered = "realtime, openai-insecure-api-key." + token;
  CHECK(status(authenticator, with(evil, "Sec-WebSocket-Protocol", offered)) == 403);
  CHECK(status(authenticator, with(page("null"), "Sec-WebSocket-Protocol", offered)) == 403);
  CHECK(status(authenticator,
               with(page("https://relay.test"), "Sec-WebSocket-Protocol", offered)) == 101);
  CHECK(status(authenticator, with(page(""), "Sec-WebSocket-Protocol", offered)) == 101);
  // A header of another scheme is not a credential: the token still comes by subprotocol.
  const auto both = with(evil, "Authorization", "Basic eA==");
  CHECK(status(authenticator, with(both, "Sec-WebSocket-Protocol", offered)) == 403);
  // If no token is needed, any page would be accepted.
  const Authenticator development({}, secret, true);
  CHECK(status(development, page("https://evil.test", "localhost:8443")) == 403);
  CHECK(status(development, page("https://localhost:8443", "localhost:8443")) == 101);
  CHECK(status(development, page("", "localhost:8443")) == 101);
}
