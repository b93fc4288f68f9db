// URLs: RFC 3986 decides, for every setting and header.
#include "base/url.hpp"

#include <catch2/catch.hpp>

using namespace verbatim;
using Catch::Contains;

namespace {

std::string fault_of(const char* text) {
  const auto url = parse_url(text);
  return url ? "" : std::string(url.error());
}

}  // namespace

TEST_CASE("a URL is taken apart as RFC 3986 says", "[url]") {
  const auto whole = parse_url("WSS://me:p%40w@Models.Example:8443/v1/a%2Fb?model=x#part");
  REQUIRE(whole);
  CHECK(whole->scheme == "wss");
  CHECK(whole->user_info == "me:p@w");
  CHECK(whole->host == "Models.Example");
  CHECK(whole->port == "8443");
  CHECK(whole->path == "/v1/a%2Fb");
  CHECK(whole->query == "?model=x");
  CHECK(whole->fragment == "#part");
  const auto least = parse_url("http://[2001:db8::1]");
  REQUIRE(least);
  CHECK(least->host == "2001:db8::1");
  CHECK((least->port + least->path + least->query + least->fragment).empty());
  CHECK_FALSE(least->user_info);
  CHECK(parse_url("http://@a")->user_info == "");
  CHECK(parse_url("https://a:/x")->port.empty());  // an empty port is the scheme's own
  CHECK(parse_url("capacitor://")->host.empty());
}

TEST_CASE("text that is not a URL is refused with the error", "[url]") {
  for (const char* text : {"", "host", "://x", "mailto:a@b", "host:80", "/path"})
    CHECK(fault_of(text) == "has no scheme://");
  CHECK(fault_of("https://a b") == "contains a space");
  CHECK(fault_of("ws://[::1") == "has no ] after the address");
  for (const char* text : {"ws://[host]/", "ws://[v1.x]/", "ws://[fe80::1%25eth0]/", "ws://[:]:1/"})
    CHECK(fault_of(text) == "has no IPv6 address between [ and ]");
  CHECK(fault_of("ws://[::1]x") == "has something other than :port after the address");
  CHECK(parse_url("ws://127.0.0.1.example/")->host == "127.0.0.1.example");
  CHECK_THAT(fault_of("http://m\"e@h"), Contains("user or password"));
  CHECK_THAT(fault_of("ws://::1:80/"), Contains("brackets"));
  for (const char* text :
       {"ws://a:b", "ws://a:80b/", "ws://a:65536/", "ws://a:-1/", "ws://[::1]:x"})
    CHECK(fault_of(text) == "has a port that is not a number from 0 to 65535");
  for (const char* text : {"ws://a|b/", "ws://a%4/", "ws://\xC3\xA9/", "ws://a\\b", "ws://a\n/"})
    CHECK(fault_of(text) == "has a character in the host that is not valid in a host name");
  for (const char* text : {"ws://a/%zz", "ws://a/{b}", "ws://a?b|c", "ws://a/\xC3\xA9"})
    CHECK(fault_of(text) == "has a character after the host that RFC 3986 does not allow there");
}

TEST_CASE("the host of a URL with two @ is not guessed", "[P10][url]") {
  // One reader may take b for the host, and another one c.
  CHECK_FALSE(parse_url("http://a@b@c/"));
  CHECK_FALSE(parse_address("http://a@b@c/"));
  CHECK_FALSE(parse_url("http://a:1@b:2@c:3"));
  CHECK_FALSE(parse_authority("a@b@c"));
}

TEST_CASE("an authority without a URL has the same host and port", "[url]") {
  for (const char* text : {"a", "a:1", "[::1]", "[::1]:9", "a.b-c_d:65535"}) {
    INFO(text);
    const auto alone = parse_authority(text);
    const auto within = parse_url("x://" + std::string(text));
    REQUIRE(alone);
    REQUIRE(within);
    CHECK(alone->host == within->host);
    CHECK(alone->port == within->port);
    CHECK(authority(alone->host, alone->port) == text);
  }
  for (const char* text : {"a/", "a?", "a:x", "[::1", "::1"}) CHECK_FALSE(parse_authority(text));
}

TEST_CASE("a host that can be connected to is an address or a name", "[url]") {
  for (const char* good : {"a", "A.b-c_d", "127.0.0.1", "127.0.0.1.example", "::1"})
    CHECK(is_host(good));
  for (const char* bad : {"", "a b", "a%41", "a!b", "\xC3\xA9"}) CHECK_FALSE(is_host(bad));
}

TEST_CASE("a password is masked wherever it stands", "[P10][url]") {
  CHECK(without_password("http://me:pw@h:1") == "http://me:***@h:1");
  CHECK(without_password("http://me:p%40w@h:1/x") == "http://me:***@h:1/x");
  CHECK(without_password("http://me@h:1") == "http://me@h:1");
  CHECK(without_password("http://h:1") == "http://h:1");
  CHECK(without_password("http://me:p w@h:1").empty());  // not a URL: nothing of it is shown
  CHECK(shown_address("wss://me:pw@[::1]:9/x?api-key=k#f") == "wss://[::1]:9/x");
}
