// What the API reads from outside before it does anything: bodies and upgrade requests.
#include <catch2/catch.hpp>

#include "server/client_secret_request.hpp"
#include "server/realtime_request.hpp"
#include "server/session_queries.hpp"

using namespace verbatim::server;

namespace {

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

int status_of(const std::string& body) {
  const auto read = read_client_secret_request(body, {});
  const auto* refused = std::get_if<HttpResponse>(&read);
  return refused ? refused->status : 200;
}

HttpRequest upgrade(HeaderList headers) {
  HttpRequest request;
  request.headers = std::move(headers);
  return request;
}

int status_of(const HttpRequest& request) {
  const Authenticator development({}, std::string(32, 's'), true);
  const auto examined = examine_upgrade(request, development, {}, true, 0);
  const auto* refused = std::get_if<HttpResponse>(&examined);
  return refused ? refused->status : 101;
}

const std::string key = "dGhlIHNhbXBsZSBub25jZQ==";

}  // namespace

TEST_CASE("a body nested deeper than a stack is refused, not followed", "[http][P11]") {
  for (const std::size_t depth : {200U, 500'000U}) {
    REQUIRE(status_of(R"({"session":{"tools":)" + nested(depth) + "}}") == 400);
    REQUIRE(status_of(R"({"verbatim":{"metadata":{"x":)" + nested(depth) + "}}}") == 400);
    REQUIRE(status_of(nested(depth)) == 400);
  }
  REQUIRE(status_of(R"({"session":{"tools":)" + nested(100) + "}}") == 200);
}

TEST_CASE("a body for a client secret is read, or refused with its reason", "[http]") {
  const auto read = read_client_secret_request(
      R"({"session":{"type":"realtime","model":"m","x":1},"expires_after":{"seconds":60},
          "verbatim":{"user":"ann","session_id":"s1","metadata":{"course":"7"}}})",
      {});
  const auto& request = std::get<ClientSecretRequest>(read);
  REQUIRE(request.user == "ann");
  REQUIRE(request.session_id == "s1");
  REQUIRE(request.seconds == 60);
  REQUIRE(request.model() == "m");
  REQUIRE(request.configuration() == R"({"type":"realtime","x":1})");
  REQUIRE(request.metadata.dump() == R"({"course":"7"})");
  REQUIRE(status_of("") == 200);
  REQUIRE(status_of("{}") == 200);
  for (const char* wrong :
       {"nonsense", "[]", "null", R"({"session":[]})", R"({"session":null})", R"({"verbatim":1})",
        R"({"verbatim":{"metadata":"x"}})", R"({"verbatim":{"user":1}})",
        R"({"verbatim":{"session_id":"a b"}})", R"({"expires_after":60})",
        R"({"expires_after":{"seconds":9}})", R"({"expires_after":{"seconds":1e3}})",
        R"({"expires_after":{"seconds":18446744073709551615}})",
        R"({"expires_after":{"seconds":7201}})", R"({"session":{"x":"\ud800"}})",
        R"({"session":{"x":1e999}})", "{\"session\":{\"x\":\"\xff\"}}"}) {
    INFO(wrong);
    REQUIRE(status_of(wrong) == 400);
  }
}

TEST_CASE("a time is understood whole or refused", "[http]") {
  REQUIRE(parse_time("1795470651") == 1'795'470'651'000);
  REQUIRE(parse_time("1795470651000") == 1'795'470'651'000);
  REQUIRE(parse_time("2026-11-23T21:50:51Z") == 1'795'470'651'000);
  REQUIRE(parse_time("2026-11-23T21:50:51.123Z") == 1'795'470'651'000);
  REQUIRE(parse_time("2026-11-23T21:50:51") == 1'795'470'651'000);
  REQUIRE(parse_time("2026-11-23") == 1'795'392'000'000);
  for (const std::string wrong : {"", "now", "-1", "-9223372036854775808", "9223372036854775808",
                                  "2026-11-23T", "2026-11-23T1", "2026-11-23T21:50:51+02:00",
                                  "2026-11-23T21:50:51ZZ", "2026-13-23", "2026-11-23x"}) {
    INFO(wrong);
    REQUIRE_FALSE(parse_time(wrong));
  }
  REQUIRE_FALSE(parse_time(std::string_view("2026-11-23\0x", 12)));
}

TEST_CASE("an upgrade whose handshake can not succeed opens nothing", "[http]") {
  const auto version = std::pair<std::string, std::string>("Sec-WebSocket-Version", "13");
  REQUIRE(status_of(upgrade({version, {"Sec-WebSocket-Key", key}})) == 101);
  REQUIRE(status_of(upgrade({{"Sec-WebSocket-Key", key}})) == 426);
  REQUIRE(status_of(upgrade({{"Sec-WebSocket-Version", "8"}, {"Sec-WebSocket-Key", key}})) == 426);
  REQUIRE(status_of(upgrade({version})) == 400);
  REQUIRE(status_of(upgrade({version, {"Sec-WebSocket-Key", key + key}})) == 400);
}
