// Input that the API reads before it acts: bodies and upgrade requests.
#include <catch2/catch.hpp>

#include "server/api/requests/client_secret.hpp"
#include "server/api/requests/queries.hpp"
#include "server/relay/access/token_terms.hpp"
#include "server/relay/access/upgrade_request.hpp"
#include "session/protocol/clients/beta_dialect.hpp"
#include "tests/session/options.hpp"

using namespace verbatim;
using namespace verbatim::access;
using namespace verbatim::net;
using namespace verbatim::requests;
namespace session = verbatim::session;

namespace {

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

int status_of(const std::string& body) {
  const auto read = read_client_secret_request(body, {});
  return read ? 200 : read.error().status;
}

HttpRequest upgrade_request(HeaderList headers) {
  HttpRequest request;
  request.headers = std::move(headers);
  request.headers.emplace_back("Host", "localhost:8443");  // accepted by a development server
  return request;
}

int status_of(const HttpRequest& request) {
  const Authenticator development({}, std::string(32, 's'), true);
  const auto examined = examine_upgrade(request, development, {}, 0);
  return examined ? 101 : examined.error().status;
}

const std::string websocket_key = "dGhlIHNhbXBsZSBub25jZQ==";

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
  const auto& request = read.value();
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
  REQUIRE(parse_time("2026-11-23T21:50:51.123Z") == 1'795'470'651'123);
  REQUIRE(parse_time("2026-11-23T21:50:51.1Z") == 1'795'470'651'100);
  REQUIRE(parse_time("2026-11-23T21:50:51.0009999Z") == 1'795'470'651'000);
  REQUIRE(parse_time("2026-11-23T21:50:51.Z") == 1'795'470'651'000);
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

TEST_CASE("an upgrade whose handshake cannot succeed opens no session", "[http]") {
  const auto version = std::pair<std::string, std::string>("Sec-WebSocket-Version", "13");
  REQUIRE(status_of(upgrade_request({version, {"Sec-WebSocket-Key", websocket_key}})) == 101);
  REQUIRE(status_of(upgrade_request({{"Sec-WebSocket-Key", websocket_key}})) == 426);
  REQUIRE(status_of(upgrade_request(
              {{"Sec-WebSocket-Version", "8"}, {"Sec-WebSocket-Key", websocket_key}})) == 426);
  REQUIRE(status_of(upgrade_request({version})) == 400);
  for (const std::string& bad :
       {websocket_key + websocket_key, std::string("!") + websocket_key.substr(1),
        "-_" + websocket_key.substr(2), " " + websocket_key.substr(1), std::string(24, 'A'),
        std::string(23, 'A') + "=", std::string(24, '=')}) {
    INFO(bad);
    REQUIRE(status_of(upgrade_request({version, {"Sec-WebSocket-Key", bad}})) == 400);
  }
}

TEST_CASE("a client selects beta by a header or a subprotocol", "[P9][http]") {
  const auto dialect = [](const char* name, const char* value) {
    const Authenticator development({}, std::string(32, 's'), true);
    const auto examined = examine_upgrade(
        upgrade_request(
            {{"Sec-WebSocket-Version", "13"}, {"Sec-WebSocket-Key", websocket_key}, {name, value}}),
        development, {}, 0);
    const RealtimeCall& call = examined.value();
    REQUIRE((call.protocol.empty() || call.protocol == "realtime"));
    return call.dialect;
  };
  const auto* const beta = &verbatim::protocol::beta_dialect();
  CHECK(dialect("OpenAI-Beta", "realtime=v1") == beta);
  CHECK(dialect("openai-beta", "assistants=v2, realtime=v1") == beta);
  CHECK(dialect("Sec-WebSocket-Protocol", "realtime, openai-beta.realtime-v1") == beta);
  CHECK(dialect("Sec-WebSocket-Protocol", "openai-beta.realtime-v1") == beta);
  CHECK(dialect("OpenAI-Beta", "assistants=v2") == nullptr);
  CHECK(dialect("OpenAI-Beta", "realtime=v10") == nullptr);
  CHECK(dialect("Sec-WebSocket-Protocol", "realtime") == nullptr);
}

TEST_CASE("a beta body for a client token is read as GA has it", "[P9][http]") {
  const auto read = read_beta_session_request(
      R"({"model":"m","modalities":["text"],"voice":"alloy","temperature":0.8,
          "client_secret":{"expires_after":{"anchor":"created_at","seconds":60}},
          "verbatim":{"user":"ann"}})",
      {});
  const auto& request = read.value();
  CHECK(request.user == "ann");
  CHECK(request.seconds == 60);
  CHECK(request.model() == "m");
  CHECK(request.configuration() ==
        R"({"audio":{"output":{"voice":"alloy"}},"output_modalities":["text"],"type":"realtime"})");
  CHECK(read_beta_session_request("", {}).value().session.empty());
  for (const std::string& wrong :
       {std::string("nonsense"), std::string("[]"), std::string(R"({"verbatim":1})"),
        std::string(R"({"client_secret":{"expires_after":{"seconds":9}}})"),
        std::string(R"({"instructions":"\ud800"})"), R"({"tools":)" + nested(200) + "}",
        R"({"turn_detection":)" + nested(127) + "}"}) {
    INFO(wrong);
    const auto answered = read_beta_session_request(wrong, {});
    REQUIRE_FALSE(answered);
    CHECK(answered.error().status == 400);
  }
}

namespace {

verbatim::config::Settings strict() {
  verbatim::config::Settings settings;
  settings.limits.tokens = 1000;
  settings.policy.locked = {"tools"};
  return settings;
}

std::string refusal_of(const std::string& body) {
  const auto read = read_client_secret_request(body, strict());
  return read ? std::string() : read.error().body;
}

}  // namespace

TEST_CASE("the terms of a token are checked, and an error names its place", "[http][policy]") {
  using Catch::Contains;
  const auto policy = [](const std::string& of_it) {
    return "{\"verbatim\":{\"policy\":" + of_it + "}}";
  };
  const auto limits = [](const std::string& of_it) {
    return "{\"verbatim\":{\"limits\":" + of_it + "}}";
  };
  CHECK(
      refusal_of(policy(R"({"locked":"all","hide":["tools"],"client_events":["session.update"]})"))
          .empty());
  CHECK(refusal_of(limits(R"({"tokens":1000,"audio_seconds":5,"max_duration":60})")).empty());
  CHECK_THAT(refusal_of(policy("[]")), Contains("verbatim.policy"));
  CHECK_THAT(refusal_of(policy(R"({"lock":[]})")), Contains("client_events, locked, hide"));
  CHECK_THAT(refusal_of(policy(R"({"locked":["tools","a b"]})")), Contains("locked[1]"));
  CHECK_THAT(refusal_of(policy(R"({"hide":"tools"})")), Contains("verbatim.policy.hide"));
  CHECK_THAT(refusal_of(policy(R"({"client_events":["no.such"]})")), Contains("client_events[0]"));
  CHECK_THAT(refusal_of(policy(R"({"client_events":[]})")), Contains("client_events"));
  CHECK_THAT(refusal_of(limits(R"({"tokens":1001})")), Contains("limits.tokens"));
  CHECK_THAT(refusal_of(limits(R"({"tokens":0})")), Contains("limits.tokens"));
  CHECK_THAT(refusal_of(limits(R"({"tokens":"5"})")), Contains("limits.tokens"));
  CHECK_THAT(refusal_of(limits(R"({"max_duration":3601})")), Contains("session.max_duration"));
  CHECK_THAT(refusal_of(limits(R"({"lives":9})")), Contains("max_duration, idle_timeout"));
  CHECK_THAT(refusal_of(R"({"verbatim":{"variables":{"x":1}}})"), Contains("verbatim.template"));
  CHECK_THAT(refusal_of(R"({"verbatim":{"template":"none"}})"), Contains("policy.templates"));
}

TEST_CASE("a token's terms take the place of the configuration's, limits only downwards",
          "[policy][limits]") {
  const auto settings = strict();
  session::SessionOptions plain = session::test::usual_options();
  apply_terms(settings, {}, plain);
  CHECK(plain.policy.locked == std::vector<std::string>{"tools"});
  CHECK(plain.budget.tokens == 1000);
  CHECK(plain.max_duration_ms == 3'600'000);
  const auto read = read_client_secret_request(
      R"({"verbatim":{"policy":{"locked":"bound"},"limits":{"tokens":10,"max_duration":5}}})",
      settings);
  session::SessionOptions own = session::test::usual_options();
  apply_terms(settings, read.value().terms, own);
  CHECK(own.policy.locked == std::vector<std::string>{"bound"});
  CHECK(own.budget.tokens == 10);
  CHECK(own.max_duration_ms == 5000);
  session::SessionOptions older =
      session::test::usual_options();  // the configuration has become stricter since
  apply_terms(settings, R"({"limits":{"tokens":5000}})", older);
  CHECK(older.budget.tokens == 1000);
}
