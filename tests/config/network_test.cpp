// How addresses and networks are written.
#include "config/network.hpp"

#include <catch2/catch.hpp>

#include "config/settings.hpp"
#include "config/values.hpp"

namespace verbatim::config {
namespace {

bool is_in(const char* network, const char* address) {
  return parse_network(network).contains(address_bytes(address).value());
}

std::string refusal_of(const std::string& text) {
  try {
    parse_network(text);
  } catch (const BadValue& bad) {
    return bad.what();
  }
  return "";
}

std::string public_url_of(const std::string& text) {
  return load({{}, {"server.public_url=" + text}, {}}).server.public_url;
}

}  // namespace

TEST_CASE("a network holds its addresses and no other", "[config][proxies]") {
  CHECK(is_in("10.0.0.0/8", "10.255.0.1"));
  CHECK_FALSE(is_in("10.0.0.0/8", "11.0.0.1"));
  CHECK(is_in("192.0.2.7", "192.0.2.7"));
  CHECK_FALSE(is_in("192.0.2.7", "192.0.2.8"));
  CHECK(is_in("192.0.2.6/31", "192.0.2.7"));
  CHECK(is_in("0.0.0.0/0", "203.0.113.9"));
  CHECK_FALSE(is_in("0.0.0.0/0", "2001:db8::1"));
  CHECK(is_in("::/0", "2001:db8::1"));
  CHECK(is_in("fd00::/8", "fdff::1"));
  CHECK_FALSE(is_in("fd00::/8", "fe80::1"));
  CHECK(is_in("2001:db8:0:1::/64", "2001:db8:0:1:ffff::"));
  CHECK_FALSE(is_in("2001:db8:0:1::/64", "2001:db8:0:2::"));
}

TEST_CASE("an IPv4 address is the same when IPv6 maps it", "[config][proxies]") {
  CHECK(is_in("10.0.0.0/8", "::ffff:10.1.2.3"));
  CHECK(is_in("::ffff:10.0.0.0/104", "10.1.2.3"));
  CHECK(is_in("fe80::1", "fe80::1%eth0"));
}

TEST_CASE("a network is printed as it is written", "[config][proxies]") {
  for (const std::string text : {"10.0.0.0/8", "192.0.2.7", "fd00::/8", "::1", "0.0.0.0/0", "::/0"})
    CHECK(print_network(parse_network(text)) == text);
}

TEST_CASE("text that is not a network is refused with the error", "[config][proxies]") {
  for (const char* text : {"", "proxy", "10.0.0", "10.0.0.0.1", "10.0.0.256", "[::1]", "::1%lo",
                           "10.0.0.1:80", "1::2::3", "/8"})
    CHECK(refusal_of(text).find("is not an IPv4 or IPv6 address") != std::string::npos);
  for (const char* text : {"10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0.0/x", "::/129"})
    CHECK(refusal_of(text).find("prefix") != std::string::npos);
  CHECK(refusal_of("10.0.0.1/8").find("10.0.0.0/8") != std::string::npos);
}

TEST_CASE("the public URL is kept in one form", "[config][proxies]") {
  CHECK(public_url_of("https://Voice.Example.COM/") == "https://voice.example.com");
  CHECK(public_url_of("HTTPS://voice.example.com:443") == "https://voice.example.com");
  CHECK(public_url_of("http://voice.example.com:80/") == "http://voice.example.com");
  CHECK(public_url_of("http://voice.example.com:443") == "http://voice.example.com:443");
  CHECK(public_url_of("https://voice.example.com/Talk/") == "https://voice.example.com/Talk");
  CHECK(public_url_of("https://[2001:DB8::1]:8443") == "https://[2001:db8::1]:8443");
  CHECK(public_url_of("").empty());
  for (const char* text : {"voice.example.com", "wss://voice.example.com", "https://u:p@a.test",
                           "https://a.test/?x=1", "https://a.test/#x", "https://"})
    CHECK_THROWS_AS(public_url_of(text), ConfigError);
}

}  // namespace verbatim::config
