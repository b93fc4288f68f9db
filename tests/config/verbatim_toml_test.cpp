// The documented example and the program must have the same settings.
#include <algorithm>
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

TEST_CASE("the documented configuration is made from the declarations", "[config]") {
  // `config_tests "[.write]"` writes the file.
  const std::string text = text_of(example);
  const std::string declared = documentation();
  const auto differ = std::mismatch(text.begin(), text.end(), declared.begin(), declared.end());
  const auto rest = [](auto from, auto end) {
    return std::string(from, from + std::min<std::ptrdiff_t>(end - from, 200));
  };
  INFO("the file has: " << rest(differ.first, text.end()));
  INFO("declared is: " << rest(differ.second, declared.end()));
  CHECK((text == declared));
}

TEST_CASE("every key has a help of its own or shares that of the key above", "[config]") {
  std::string section;
  for (const Key& key : keys()) {
    INFO(key.name);
    CHECK((!key.help.empty() || section_of(key.name) == section));
    CHECK_FALSE(key.accepts.empty());
    CHECK((key.role == Role::secret_file) == !key.example.empty());
    section = section_of(key.name);
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

TEST_CASE("the documented configuration is written", "[.write]") {
  std::ofstream(example) << documentation();
}

}  // namespace verbatim::config
