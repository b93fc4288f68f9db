// The documented example and the program must have the same settings.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "config/keys.hpp"
#include "config/settings.hpp"

namespace verbatim::config {
namespace {

const std::filesystem::path example = std::filesystem::path(VERBATIM_CONFIG) / "verbatim.toml";

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("the documented configuration is exactly the defaults", "[config]") {
  const Settings settings = load({example, {}, {}});
  CHECK(to_toml(settings) == to_toml(Settings{}));
  CHECK(settings.auth.token_secret.empty());
  CHECK(settings.auth.internal_service_key.empty());
  CHECK(settings.upstream.api_key.empty());
}

TEST_CASE("the documented configuration has every key and the values it accepts", "[config]") {
  const std::string text = text_of(example);
  for (const Key& key : keys()) {
    if (key.role == Role::secret) {
      CHECK(text.find(environment_variable(key.name)) != std::string::npos);
      continue;
    }
    const auto dot = key.name.find('.');
    const auto section = text.find("[" + key.name.substr(0, dot) + "]\n");
    INFO(key.name);
    REQUIRE(section != std::string::npos);
    const std::string comment = key.role == Role::secret_file ? "# " : "";
    const std::string lines =
        "# Accepts: " + key.accepts + "\n" + comment + key.name.substr(dot + 1) + " = ";
    const auto found = text.find(lines, section);
    REQUIRE(found != std::string::npos);
    CHECK(found < text.find("\n[", section));
  }
}

TEST_CASE("every key has a default that it accepts itself", "[config]") {
  const Settings defaults;
  for (const Key& key : keys()) {
    if (key.role != Role::plain) continue;
    INFO(key.name);
    Settings settings;
    CHECK_NOTHROW(key.read(settings, key.print(defaults), Source::file));
  }
}

}  // namespace verbatim::config
