// A client token's content is stored so that only the token can decrypt it.
#include "server/relay/access/token_content.hpp"

#include <catch2/catch.hpp>

#include "server/relay/access/sealed.hpp"

using namespace verbatim;
using namespace verbatim::access;
using store::ClientToken;

namespace {

const std::string content_key(sealing_key_bytes, 'k');

ClientToken token(const std::string& config, const std::string& kept_private) {
  ClientToken made;
  made.id = "cs_1";
  made.session_config_json = config;
  made.private_json = kept_private;
  return made;
}

}  // namespace

TEST_CASE("a token's content is stored encrypted, and the token's key decrypts it",
          "[P10][erase]") {
  const std::string config = GENERATE(std::string(), std::string(R"({"instructions":"planted"})"),
                                      std::string(300'000, 'p'));
  const std::string run(64, 'p');  // four may occur in any 400,000 letters of Base64
  const std::string kept_private =
      GENERATE(std::string("{}"), std::string(R"({"case":"planted"})"));
  ClientToken made = token(config, kept_private);
  seal_content(made, content_key);
  for (const std::string& text : {made.session_config_json, made.private_json}) {
    CHECK(text.starts_with(store::sealed_prefix));
    CHECK(text.find("planted") == std::string::npos);
    CHECK(text.find(run) == std::string::npos);
  }
  REQUIRE(unseal_content(made, content_key));
  CHECK(made.session_config_json == config);
  CHECK(made.private_json == kept_private);
}

TEST_CASE("content sealed twice looks different, and opens only in its own token's row",
          "[P10][erase]") {
  CHECK(seal(content_key, "a", "planted") != seal(content_key, "a", "planted"));
  const std::string sealed = seal(content_key, "cs_1/private", "planted");
  CHECK(unseal(content_key, "cs_1/private", sealed) == "planted");
  CHECK_FALSE(unseal(content_key, "cs_2/private", sealed));
  CHECK_FALSE(unseal(content_key, "cs_1/session_config", sealed));
  CHECK_FALSE(unseal(std::string(sealing_key_bytes, 'x'), "cs_1/private", sealed));
  CHECK_FALSE(unseal(content_key.substr(1), "cs_1/private", sealed));
  CHECK_FALSE(unseal("", "cs_1/private", sealed));
  CHECK_FALSE(unseal(content_key, "cs_1/private", ""));
  CHECK_FALSE(unseal(content_key, "cs_1/private", "sealed:"));
  CHECK_FALSE(unseal(content_key, "cs_1/private", R"({"case":"planted"})"));
  for (std::size_t at = store::sealed_prefix.size(); at < sealed.size(); ++at) {
    std::string changed = sealed;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    CHECK_FALSE(unseal(content_key, "cs_1/private", changed));
    CHECK_FALSE(unseal(content_key, "cs_1/private", sealed.substr(0, at)));
  }
}

TEST_CASE("a token whose content belongs to another token or field opens nothing", "[P10][auth]") {
  ClientToken made = token("{}", R"({"a":1})");
  seal_content(made, content_key);
  std::swap(made.session_config_json, made.private_json);
  CHECK_FALSE(unseal_content(made, content_key));
  std::swap(made.session_config_json, made.private_json);
  made.id = "cs_2";
  CHECK_FALSE(unseal_content(made, content_key));
  made.id = "cs_1";
  CHECK_FALSE(unseal_content(made, ""));
  CHECK(unseal_content(made, content_key));
}

TEST_CASE("unsealed content of an older program is read by a token without a key",
          "[store][token]") {
  ClientToken old = token(R"({"instructions":"x"})", R"({"a":1})");
  REQUIRE(unseal_content(old, ""));
  CHECK(old.session_config_json == R"({"instructions":"x"})");
  CHECK(old.private_json == R"({"a":1})");
  seal_content(old, "");
  CHECK(old.private_json == R"({"a":1})");
  // A token whose content must be sealed does not accept unsealed content in its place.
  CHECK_FALSE(unseal_content(old, content_key));
}
