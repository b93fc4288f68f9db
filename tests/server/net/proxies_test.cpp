// A client's address and TLS behind trusted proxies, and the development mode.
#include "server/net/proxies.hpp"

#include <catch2/catch.hpp>

#include "server/relay/access/auth.hpp"
#include "server/relay/access/upgrade_request.hpp"

using namespace verbatim;
using namespace verbatim::access;
using namespace verbatim::net;

namespace {

TrustedProxies trusting(const std::vector<std::string>& texts) {
  std::vector<config::Network> networks;
  for (const std::string& text : texts) networks.push_back(config::parse_network(text));
  return TrustedProxies(std::move(networks));
}

const TrustedProxies proxies = trusting({"10.0.0.0/8", "fd00::/8"});

Caller from(const std::string& peer, const HeaderList& headers) {
  return proxies.caller_of(headers, {peer, false, false});
}
std::string address(const std::string& peer, const std::string& forwarded_for) {
  return from(peer, {{"X-Forwarded-For", forwarded_for}}).address;
}

std::string header_v2(unsigned char command, unsigned char family, const std::string& body) {
  std::string header(net::proxy_protocol::signature);
  header += static_cast<char>(0x20 | command);
  header += static_cast<char>(family);
  header += static_cast<char>(body.size() >> 8);
  header += static_cast<char>(body.size() & 0xFF);
  return header + body;
}
const std::string ipv4_body("\xCB\x00\x71\x09\x0A\x00\x00\x01\x30\x39\x20\xFB", 12);
Caller announced(const std::string& header) {
  return net::proxy_protocol::read(header, {"10.0.0.1", false, false}).value();
}
std::string wrong(const std::string& header) {
  const auto read = net::proxy_protocol::read(header, {"10.0.0.1", false, false});
  return read ? "" : read.error().why;
}

HttpRequest asking(const HeaderList& headers) {
  HttpRequest request;
  request.headers = headers;
  return request;
}
/// The response of a development server: 0 if it accepts.
int development_answers(const HttpRequest& request) {
  const Authenticator development({}, std::string(32, 's'), true);
  const auto result = development.authenticate(request, 0);
  return result ? 0 : result.error().status;
}

}  // namespace

TEST_CASE("a client's address is the last one that is not a trusted proxy", "[proxies]") {
  CHECK(address("10.0.0.1", "203.0.113.9") == "203.0.113.9");
  CHECK(address("10.0.0.1", "198.51.100.1, 203.0.113.9") == "203.0.113.9");
  CHECK(address("10.0.0.1", "203.0.113.9, 10.0.0.2, 10.0.0.3") == "203.0.113.9");
  CHECK(address("10.0.0.1", "10.0.0.9, 10.0.0.2") == "10.0.0.9");
  CHECK(address("::ffff:10.0.0.1", "203.0.113.9") == "203.0.113.9");
  CHECK(address("fd00::1", "2001:db8::7") == "2001:db8::7");
  CHECK(from("10.0.0.1", {{"x-forwarded-for", "198.51.100.1"}, {"X-Forwarded-For", "203.0.113.9"}})
            .address == "203.0.113.9");
}

TEST_CASE("a client's address is found with a port, in brackets and in quotes", "[proxies]") {
  CHECK(address("10.0.0.1", "203.0.113.9:4711") == "203.0.113.9");
  CHECK(address("10.0.0.1", "[2001:db8::7]:4711") == "2001:db8::7");
  CHECK(address("10.0.0.1", "\"[2001:db8::7]\"") == "2001:db8::7");
  CHECK(address("10.0.0.1", "::ffff:203.0.113.9") == "203.0.113.9");
}

TEST_CASE("an invalid address ends the trusted chain", "[proxies]") {
  CHECK(address("10.0.0.1", "unknown") == "10.0.0.1");
  CHECK(address("10.0.0.1", "203.0.113.9, unknown") == "10.0.0.1");
  CHECK(address("10.0.0.1", "203.0.113.9, what, 10.0.0.2") == "10.0.0.2");
  CHECK(address("10.0.0.1", "") == "10.0.0.1");
  CHECK(address("10.0.0.1", "[203.0.113.9") == "10.0.0.1");
}

TEST_CASE("only a trusted proxy is believed", "[proxies]") {
  const Caller caller =
      from("192.0.2.1", {{"X-Forwarded-For", "127.0.0.1"}, {"X-Forwarded-Proto", "https"}});
  CHECK(caller.address == "192.0.2.1");
  CHECK_FALSE(caller.secure);
  CHECK(caller.proxied);
  // Not even one that such a header has named as the client.
  CHECK(address("10.0.0.1", "198.51.100.1, 192.0.2.1") == "192.0.2.1");
}

TEST_CASE("the scheme is that of the client's own connection", "[proxies]") {
  const auto secure = [](const std::string& hops, const std::string& schemes) {
    return from("10.0.0.1", {{"X-Forwarded-For", hops}, {"X-Forwarded-Proto", schemes}}).secure;
  };
  CHECK(secure("203.0.113.9", "https"));
  CHECK(secure("203.0.113.9", "HTTPS"));
  CHECK_FALSE(secure("203.0.113.9", "http"));
  CHECK(secure("203.0.113.9, 10.0.0.2", "https, http"));
  CHECK_FALSE(secure("198.51.100.1, 203.0.113.9", "https, http"));
  CHECK(secure("203.0.113.9, 10.0.0.2", "https"));
  CHECK(proxies.caller_of({}, {"192.0.2.1", true, false}).secure);
}

TEST_CASE("limits count an IPv4 address and an IPv6 network", "[proxies]") {
  CHECK(address_key("203.0.113.9") == "203.0.113.9");
  CHECK(address_key("::ffff:203.0.113.9") == "203.0.113.9");
  CHECK(address_key("2001:db8:1:2:3::4") == "2001:db8:1:2::");
  CHECK(address_key("2001:db8:1:2::9") == address_key("2001:db8:1:2:ffff::1"));
  CHECK(address_key("2001:db8:1:3::9") != address_key("2001:db8:1:2::9"));
}

TEST_CASE("PROXY protocol v2 names the client", "[proxies]") {
  const Caller v4 = announced(header_v2(1, 0x11, ipv4_body));
  CHECK(v4.address == "203.0.113.9");
  CHECK(v4.proxied);
  CHECK_FALSE(v4.secure);
  std::string v6_body("\x20\x01\x0d\xb8", 4);
  v6_body += std::string(11, '\0') + "\x07" + std::string(16, '\1') + "\x30\x39\x20\xFB";
  CHECK(announced(header_v2(1, 0x21, v6_body)).address == "2001:db8::7");
  // The proxy's own request, or a client without an internet address.
  CHECK(announced(header_v2(0, 0x00, "")).address == "10.0.0.1");
  CHECK(announced(header_v2(1, 0x00, "")).address == "10.0.0.1");
  CHECK(announced(header_v2(1, 0x31, std::string(216, 'p'))).address == "10.0.0.1");
}

TEST_CASE("PROXY protocol v2 says that the client speaks TLS", "[proxies]") {
  const auto with = [](const std::string& more) {
    return announced(header_v2(1, 0x11, ipv4_body + more)).secure;
  };
  const std::string authority(
      "\x02\x00\x03"
      "abc",
      6);
  const std::string tls("\x20\x00\x05\x01\x00\x00\x00\x00", 8);
  const std::string plain("\x20\x00\x05\x00\x00\x00\x00\x00", 8);
  CHECK(with(tls));
  CHECK(with(authority + tls));
  CHECK_FALSE(with(authority));
  CHECK_FALSE(with(plain));
  CHECK_FALSE(with(std::string("\x20\x00\x50\x01", 4)));
  CHECK_FALSE(with(std::string("\x20\x00", 2)));
}

TEST_CASE("bytes that are not a PROXY protocol header are refused", "[proxies]") {
  CHECK_FALSE(wrong("").empty());
  CHECK_FALSE(wrong(std::string(net::proxy_protocol::signature)).empty());
  CHECK_FALSE(wrong(header_v2(2, 0x11, ipv4_body)).empty());
  CHECK_FALSE(wrong(header_v2(1, 0x11, ipv4_body.substr(1))).empty());
  CHECK_FALSE(wrong(header_v2(1, 0x21, ipv4_body)).empty());
  CHECK_FALSE(wrong(header_v2(1, 0x11, ipv4_body).substr(0, 27)).empty());
  std::string version_1 = header_v2(1, 0x11, ipv4_body);
  version_1[12] = 0x11;
  CHECK_FALSE(wrong(version_1).empty());
}

TEST_CASE("the development mode accepts only requests from this machine", "[proxies][auth]") {
  for (const char* host :
       {"localhost", "localhost:8443", "LocalHost:8443", "127.0.0.1:8443", "[::1]", "[::1]:8443"})
    CHECK(development_answers(asking({{"Host", host}})) == 0);
  for (const char* host :
       {"", "evil.example", "evil.example:8443", "localhost.evil.example", "127.0.0.1.evil.example",
        "evil.example:localhost", "[::1].evil.example", "192.0.2.1:8443", "[::2]"})
    CHECK(development_answers(asking({{"Host", host}})) == 403);
}

TEST_CASE("a request with a proxy's header never gets development mode", "[proxies][auth]") {
  for (const char* name : {"Forwarded", "X-Forwarded-For", "x-forwarded-host", "X-FORWARDED-PROTO",
                           "X-Forwarded-Port", "X-Forwarded-Anything", "X-Real-IP", "Via",
                           "CF-Connecting-IP", "True-Client-IP", "X-Client-IP"})
    CHECK(development_answers(asking({{"Host", "localhost"}, {name, ""}})) == 403);
  HttpRequest announced_by_proxy = asking({{"Host", "localhost"}});
  announced_by_proxy.proxied = true;
  CHECK(development_answers(announced_by_proxy) == 403);
  CHECK(development_answers(asking({{"Host", "localhost"}, {"X-Forwarder", "1"}})) == 0);
}

TEST_CASE("a request from another machine is logged once", "[proxies][auth]") {
  int reports = 0;
  const Authenticator development({}, std::string(32, 's'), true,
                                  [&reports](std::string_view) { ++reports; });
  for (int i = 0; i < 3; ++i) (void)development.authenticate(asking({{"Via", "1.1 a"}}), 0);
  CHECK(reports == 1);
}

TEST_CASE("an upgrade follows the same rules as the HTTP API", "[proxies][auth]") {
  const Authenticator development({}, std::string(32, 's'), true);
  const auto upgrade = [&](HeaderList headers) {
    headers.insert(headers.end(), {{"Sec-WebSocket-Version", "13"},
                                   {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}});
    const auto examined = examine_upgrade(asking(headers), development, {}, 0);
    return examined ? 101 : examined.error().status;
  };
  CHECK(upgrade({{"Host", "localhost:1"}}) == 101);
  CHECK(upgrade({{"Host", "evil.example:1"}}) == 403);
  CHECK(upgrade({{"Host", "evil.example:1"}, {"Origin", "http://evil.example:1"}}) == 403);
  CHECK(upgrade({{"Host", "localhost:1"}, {"X-Forwarded-For", "203.0.113.9"}}) == 403);
}
