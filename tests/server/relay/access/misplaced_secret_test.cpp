// Keys and tokens in the place of an id are recognised; ordinary ids are not taken for one.
#include "server/relay/access/misplaced_secret.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>

#include "base/log.hpp"
#include "server/relay/access/auth.hpp"

using namespace verbatim;
using namespace verbatim::access;

namespace {

const std::string hex(64, 'a');

std::string client_token() {
  TokenClaims claims;
  claims.id = "cs_1";
  claims.user = "ann";
  claims.metadata_json = R"({"note":")" + std::string(400, 'x') + R"("})";
  return Authenticator({}, std::string(32, 's'), false).mint(claims);
}

const std::string web_token =
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";

}  // namespace

TEST_CASE("a key or token is recognised by its form, at any place in a text", "[P10][ids]") {
  const std::vector<std::string> keys = {
      client_token(),
      make_api_key().key,
      "ek_68af296e8e408191a1120ab6383263c2",
      "vk_0123456789abcdef0123456789abcdef",
      "sk-proj-Ab12Cd34Ef56Gh78Ij90Kl12Mn34Op56",
      "sk-ant-api03-Ab12Cd34Ef56Gh78Ij90_Kl12-Mn34Op56",
      "sk_3f5c0a1b2c3d4e5f6a7b8c9d0e1f2a3b",
      "xai-Ab12Cd34Ef56Gh78Ij90Kl12Mn34Op56",
      "AIzaSyA1234567890abcdefghijklmnopqrstuv",
      "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
      web_token,
  };
  for (const std::string& key : keys) {
    INFO(key);
    CHECK(looks_like_secret(key));
    CHECK(looks_like_secret("lesson:" + key));
    CHECK(looks_like_secret("Bearer " + key));
    CHECK(without_secrets("the id " + key + ", twice: \"" + key + "\"") ==
          "the id [hidden], twice: \"[hidden]\"");
    CHECK(without_secrets(key) == "[hidden]");
  }
}

TEST_CASE("a client's id or name that is a key is hidden where it is logged", "[P10][log][ids]") {
  const auto format = GENERATE(LogFormat::text, LogFormat::json);
  const std::string key = client_token();
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const int kept = ::dup(STDERR_FILENO);
  ::dup2(ends[1], STDERR_FILENO);
  LogOptions options;
  options.format = format;
  Log(options, without_secrets)
      .warn("upstream.not_whole", {{"items", key + ": refused, " + key}, {"user", key}});
  ::dup2(kept, STDERR_FILENO);
  ::close(kept);
  ::close(ends[1]);
  std::string line(4096, '\0');
  const auto got = ::read(ends[0], line.data(), line.size());
  ::close(ends[0]);
  REQUIRE(got > 0);
  line.resize(static_cast<std::size_t>(got));
  CHECK(line.find("[hidden]: refused, [hidden]") != line.npos);
  CHECK(line.find(key.substr(0, 20)) == line.npos);
  CHECK(line.find(key.substr(key.size() - 20)) == line.npos);
}

TEST_CASE("ordinary ids, names and log lines are not taken for secrets", "[P10][ids]") {
  for (const std::string text :
       {"", "sess_01M8R99DDYR7Q0WNZ2CPSQ4TJP", "lesson-7", "item_Ab12Cd34Ef56Gh78Ij90Kl12",
        "sk-lesson-of-monday-morning-in-november-2026", "sk-SK", "ek_1", "vk_123456789",
        "week_0123456789abcdef0123456789abcdef", "risk-0123456789abcdef0123456789abcdef",
        "7b0d1c7e-4f0e-4a53-9b3e-6f3f6a1c2d3e", "sha256:0123456789abcdef0123456789abcdef",
        "ann@example.com", "https://example.com/a/b?c=d", "eyJ", "eyJhbGciOiJIUzI1NiJ9",
        "the disk is full; free some space and it recovers by itself"}) {
    INFO(text);
    CHECK_FALSE(looks_like_secret(text));
    CHECK(without_secrets(text) == text);
  }
}

TEST_CASE("a text that is all beginnings of keys is looked through in linear time", "[P11][ids]") {
  const auto looked_at = [](const std::string& piece) {
    std::string text;
    while (text.size() < 4'000'000) text += piece;
    return looks_like_secret(text);
  };
  CHECK_FALSE(looked_at("-sk-"));
  CHECK_FALSE(looked_at("/eyJ/ "));
  CHECK_FALSE(looked_at("a-"));
  CHECK_FALSE(looked_at("whsec_ "));
}

TEST_CASE("the server's own secrets are refused as ids, in any form", "[P10][ids]") {
  config::Settings settings;
  settings.upstream.api_key = Secret(hex.substr(0, 32));
  settings.auth.internal_service_key = Secret("correct horse battery");
  settings.auth.token_secret = Secret("none");
  const IdGuard guard(settings);
  CHECK_FALSE(guard.admits(hex.substr(0, 32)));
  CHECK_FALSE(guard.admits("x." + hex.substr(0, 32) + ".y"));
  CHECK_FALSE(guard.admits("correct horse battery"));
  CHECK_FALSE(guard.admits("ek_68af296e8e408191a1120ab6383263c2"));
  CHECK(guard.admits("nonesuch"));  // too short a secret to distinguish it from a word
  CHECK(guard.admits("lesson-7"));
}
