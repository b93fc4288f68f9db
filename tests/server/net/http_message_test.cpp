// Parts of HTTP messages: targets, errors, addresses.
#include "server/net/http_message.hpp"
#include "base/json/tree.hpp"

#include <catch2/catch.hpp>

#include "server/relay/upstream.hpp"

using namespace verbatim;
using namespace verbatim::net;

TEST_CASE("a request target is split and decoded", "[http]") {
  HttpRequest request;
  REQUIRE(parse_target("/v1/sessions/a%2Fb?user=J%C3%B6rg+K&metadata.x=1&flag&&empty=", request));
  REQUIRE(request.path == "/v1/sessions/a/b");
  REQUIRE(request.parameter("user") == "Jörg K");
  REQUIRE(request.parameter("metadata.x") == "1");
  REQUIRE(request.parameter("flag") == "");
  REQUIRE(request.parameter("empty") == "");
  REQUIRE_FALSE(request.parameter("other"));
}

TEST_CASE("a slash at the end of a path makes no difference, an escaped one does", "[http]") {
  HttpRequest request;
  for (const auto& [target, path] : {std::pair("/healthz/", "/healthz"),
                                     {"/healthz/?a=/", "/healthz"},
                                     {"/", "/"},
                                     {"//", "/"},
                                     {"/a//", "/a/"},
                                     {"/a%2F", "/a/"}}) {
    REQUIRE(parse_target(target, request));
    CHECK(request.path == path);
  }
}

TEST_CASE("text that is not a request target is refused", "[http]") {
  HttpRequest request;
  for (const char* bad : {"", "*", "http://x/", "/a%", "/a%4", "/a%zz", "/?x=%2"}) {
    REQUIRE_FALSE(parse_target(bad, request));
  }
}

TEST_CASE("errors before the upgrade have the provider's shape", "[http][P9]") {
  const auto error = Json::parse(openai_error(401, "invalid_token", "no").body)["error"];
  REQUIRE(error["type"] == "authentication_error");
  REQUIRE(error["code"] == "invalid_token");
  REQUIRE(error["message"] == "no");
}

TEST_CASE("problems have the shape of RFC 9457", "[http]") {
  const HttpResponse response = problem(404, "not found", "nothing there");
  REQUIRE(response.content_type == "application/problem+json");
  REQUIRE(Json::parse(response.body)["status"] == 404);
}

TEST_CASE("an address is taken apart", "[upstream]") {
  const auto azure = parse_address("wss://res.openai.azure.com/openai/v1/realtime?model=dep");
  REQUIRE(azure);
  REQUIRE(azure->tls);
  REQUIRE(azure->host == "res.openai.azure.com");
  REQUIRE(azure->port == "443");
  REQUIRE(azure->target == "/openai/v1/realtime?model=dep");
  const auto local = parse_address("ws://[::1]:9000");
  REQUIRE(local);
  REQUIRE_FALSE(local->tls);
  REQUIRE(local->host == "::1");
  REQUIRE(local->port == "9000");
  REQUIRE(local->target == "/");
  const auto proxy = parse_address("http://user:pass@proxy:3128");
  REQUIRE(proxy);
  REQUIRE(proxy->user_info == "user:pass");
  REQUIRE(proxy->host == "proxy");
  for (const char* bad : {"", "host", "ftp://x", "wss://", "ws://:80", "ws://[::1"}) {
    REQUIRE_FALSE(parse_address(bad));
  }
}
