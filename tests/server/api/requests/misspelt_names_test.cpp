// Misspelt names in the bodies that make tokens and sessions are refused with the correct name:
// otherwise a policy would silently have no effect.
#include <array>
#include <catch2/catch.hpp>

#include "server/api/requests/client_secret.hpp"
#include "server/api/requests/session.hpp"
#include "server/relay/access/token_terms.hpp"
#include "session/policy/known_members.hpp"

using namespace verbatim;
using namespace verbatim::access;
using namespace verbatim::net;
using namespace verbatim::policy;
using namespace verbatim::requests;
namespace config = verbatim::config;
using Catch::Contains;

namespace {

std::string refusal(const Result<ClientSecretRequest>& read) {
  if (read) return {};
  CHECK(read.error().status == 400);
  return read.error().body;
}

std::string refusal(const std::string& body) {
  return refusal(read_client_secret_request(body, {}));
}

std::string beta_refusal(const std::string& body) {
  return refusal(read_beta_session_request(body, {}));
}

}  // namespace

TEST_CASE("an unknown member of a token's body is refused with the nearest known name",
          "[http][policy]") {
  const std::vector<std::array<std::string, 3>> cases = {
      {R"({"verbatm":{"limits":{"tokens":1}}})", "'verbatm'", "nearest known name is verbatim"},
      {R"({"Verbatim":{"limits":{"tokens":1}}})", "'Verbatim'", "nearest known name is verbatim"},
      {R"({"sesion":{"instructions":"x"}})", "'sesion'", "nearest known name is session"},
      {R"({"expires_afer":{"seconds":60}})", "'expires_afer'", "is expires_after"},
      {R"({"limits":{"tokens":1}})", "'limits'", "(known: session, verbatim, expires_after)"},
      {R"({"policy":{"locked":"all"}})", "'policy'", "known: session, verbatim"},
      {R"({"model":"gpt-realtime","voice":"marin"})", "'model'", "known: session"},
      {R"({"expires_after":{"second":60,"seconds":60}})", "'expires_after.second'", "is seconds"},
      {R"({"verbatim":{"limts":{"tokens":1}}})", "'verbatim.limts'",
       "nearest known name is limits"},
      {R"({"verbatim":{"Limits":{"tokens":1}}})", "'verbatim.Limits'", "is limits"},
      {R"({"verbatim":{"polcy":{"locked":"all"}}})", "'verbatim.polcy'", "is policy"},
      {R"({"verbatim":{"session":"s1"}})", "'verbatim.session'", "is session_id"},
      {R"({"verbatim":{"sessionId":"s1"}})", "'verbatim.sessionId'", "is session_id"},
      {R"({"verbatim":{"meta":{}}})", "'verbatim.meta'", "is metadata"},
      {R"({"verbatim":{"user_id":"ann"}})", "'verbatim.user_id'", "is user"},
      {R"({"verbatim":{"limits":{"token":1}}})", "'verbatim.limits.token'", "is tokens"},
      {R"({"verbatim":{"limits":{"maxDuration":9}}})", "limits.maxDuration'", "is max_duration"},
      {R"({"verbatim":{"policy":{"lock":["tools"]}}})", "'verbatim.policy.lock'", "is locked"},
      {R"({"verbatim":{"policy":{"hidden":["tools"]}}})", "policy.hidden'", "is hide"},
      {R"({"verbatim":{"li\u006dts":{}}})", "'verbatim.limts'", "is limits"},
  };
  for (const auto& [body, place, nearest] : cases) {
    INFO(body);
    CHECK_THAT(refusal(body),
               Contains(place) && Contains(nearest) && Contains("unknown_parameter"));
  }
}

TEST_CASE("the known members of a token's body are taken, however their names are written",
          "[http][policy]") {
  for (const char* body :
       {R"({"session":{"type":"realtime","anything":{"limts":1}},"verbatim":{"user":"ann",
            "session_id":"s1","metadata":{"limts":1},"policy":{"client_events":["session.update"],
            "locked":"all","hide":["tools"]},"limits":{"max_duration":1,"idle_timeout":1,
            "audio_seconds":1,"tokens":1}},"expires_after":{"anchor":"created_at","seconds":60}})",
        R"({"verb\u0061tim":{"l\u0069mits":{"tokens":1}}})"}) {
    INFO(body);
    CHECK(refusal(body).empty());
  }
  const auto read =
      read_client_secret_request(R"({"verb\u0061tim":{"l\u0069mits":{"tokens":7}}})", {});
  CHECK_THAT(read.value().terms, Contains("\"tokens\":7"));
}

TEST_CASE("a policy that occurs twice, or in the wrong place, is refused", "[http][policy]") {
  CHECK_THAT(refusal(R"({"verbatim":{"limits":{"tokens":1}},"verbatim":{}})"), Contains("twice"));
  CHECK_THAT(refusal(R"({"verbatim":{"limits":{"tokens":1},"limits":{}}})"), Contains("twice"));
  CHECK_THAT(refusal(R"({"verbatim":{"policy":{"locked":"all","lock\u0065d":[]}}})"),
             Contains("twice"));
  CHECK_THAT(refusal(R"({"session":{"verbatim":{"limits":{"tokens":1}}}})"),
             Contains("belongs beside 'session'"));
  CHECK_THAT(refusal(R"({"session":{"expires_after":{"seconds":60}}})"), Contains("beside"));
  CHECK_THAT(refusal(R"({"expires_after":{"anchor":"now","seconds":60}})"), Contains("anchor"));
}

TEST_CASE("a misspelt policy of the beta form is refused, too", "[http][policy]") {
  CHECK(beta_refusal(R"({"voice":"alloy","verbatim":{"limits":{"tokens":1}}})").empty());
  CHECK_THAT(beta_refusal(R"({"voice":"alloy","verbatm":{"limits":{"tokens":1}}})"),
             Contains("'verbatim' belongs beside"));
  CHECK_THAT(beta_refusal(R"({"verbatim":{"limts":{}}})"), Contains("is limits"));
  CHECK_THAT(beta_refusal(R"({"client_secret":{"expires_afer":{"seconds":60}}})"),
             Contains("is expires_after"));
  CHECK_THAT(beta_refusal(R"({"verbatim":{"limits":{"tokens":1}},"verbatim":{}})"),
             Contains("twice"));
}

TEST_CASE("an unknown member of a session's body is refused with the nearest known name",
          "[http][policy]") {
  const auto read = read_session_request(R"({"metdata":{}})");
  REQUIRE_FALSE(read);
  CHECK_THAT(read.error().body, Contains("'metdata'") && Contains("is metadata"));
}

TEST_CASE("a name from outside is shown short and printable", "[http]") {
  CHECK(shown_name("a\x1b[31m\nb") == "a?[31m?b");
  CHECK(shown_name(std::string(65, 'x')) == std::string(64, 'x') + "...");
  const std::string long_name(100'000, 'y');
  CHECK(refusal("{\"" + long_name + "\":1}").size() < 400);
}

TEST_CASE("an empty user or session is refused: its token would have more rights than intended",
          "[http][policy]") {
  CHECK_THAT(refusal(R"({"verbatim":{"user":"u","session_id":""}})"),
             Contains("'verbatim.session_id' is empty"));
  CHECK_THAT(refusal(R"({"verbatim":{"user":""}})"), Contains("'verbatim.user' is empty"));
}

TEST_CASE("a field that a policy can only have misspelt is refused with the name that was meant",
          "[http][policy]") {
  for (const auto& [field, meant] :
       std::vector<std::pair<std::string, std::string>>{{"instructons", "instructions"},
                                                        {"audio.output.voise", "voice"},
                                                        {"instrutions", "instructions"},
                                                        {"boud", "bound"},
                                                        {"tols", "tools"}}) {
    INFO(field);
    CHECK_THAT(refusal(R"({"verbatim":{"policy":{"locked":[")" + field + R"("]}}})"),
               Contains("nearest known name is " + meant));
    CHECK_THAT(refusal(R"({"verbatim":{"policy":{"hide":[")" + field + R"("]}}})"),
               Contains("nearest known name is " + meant));
    config::Settings settings;
    settings.policy.locked = {field};
    CHECK_THROWS_AS(require_known_fields(settings), config::ConfigError);
  }
  // Providers have fields of their own.
  for (const char* field : {"instructions", "audio.output.voice", "audio.input.turn_detection",
                            "vendor_voice_style", "audio.output.pitch", "max_output_tokens"})
    CHECK(refusal(R"({"verbatim":{"policy":{"locked":[")" + std::string(field) + R"("]}}})") == "");
}
