// The settings of the repair of failed transcriptions.
#include <catch2/catch.hpp>

#include "base/json/tree.hpp"
#include "config/settings.hpp"
#include "tests/config/errors.hpp"

namespace verbatim::config {
namespace {

using Catch::Contains;

}  // namespace

TEST_CASE("an engine without TLS, or at a private address, must be allowed", "[config][repair]") {
  CHECK_THAT(error_with({"repair.url=http://127.0.0.1:8000"}),
             Contains("repair.url") && Contains("repair.allow_private = true"));
  CHECK_THAT(error_with({"repair.url=https://a.test", "repair.fallback_url=http://b.test"}),
             Contains("repair.fallback_url") && Contains("repair.allow_private"));
  CHECK(error_with({"repair.url=http://127.0.0.1:8000", "repair.allow_private=true"}).empty());
  CHECK(error_with({"repair.url=https://api.openai.com"}).empty());
}

TEST_CASE("a second engine needs a first one, and no URL has a password", "[config][repair]") {
  CHECK_THAT(error_with({"repair.fallback_url=https://b.test"}), Contains("without repair.url"));
  CHECK_THAT(error_with({"repair.url=https://user:pw@b.test"}), Contains("key_file"));
  CHECK_THAT(error_with({"repair.url=wss://b.test"}), Contains("scheme"));
}

TEST_CASE("the key of commands is not taken for an engine's", "[config][repair]") {
  CHECK_NOTHROW(load({{}, {}, {"VERBATIM_API_KEY=vk_0123456789"}}));
  CHECK_THROWS_WITH(load({{}, {}, {"VERBATIM_REPAIR_KEI=sk-0123456789"}}), Contains("repair.key"));
}

TEST_CASE("an engine's key is masked", "[config][P10][repair]") {
  const Settings settings =
      load({{}, {"repair.url=https://a.test"}, {"VERBATIM_REPAIR_KEY=sk-engine-0123456789"}});
  CHECK(settings.repair.key.reveal() == "sk-engine-0123456789");
  CHECK(to_json(settings).find("sk-engine") == std::string::npos);
  CHECK(to_toml(settings).find("sk-engine") == std::string::npos);
}

}  // namespace verbatim::config
