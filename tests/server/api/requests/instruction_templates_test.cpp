// Instructions from templates: which values are allowed, and how they are inserted.
#include "server/api/requests/instruction_templates.hpp"
#include "base/json/tree.hpp"

#include <catch2/catch.hpp>

using namespace verbatim;
using namespace verbatim::requests;

namespace {

std::vector<config::InstructionTemplate> templates() {
  using Type = config::TemplateVariable::Type;
  config::InstructionTemplate trainer;
  trainer.name = "trainer";
  trainer.text = "You are {{who}}, level {{level}}, {{mood}}. Again: {{who}}.\n";
  config::TemplateVariable who;
  who.name = "who";
  who.length = 10;
  who.pattern = config::Pattern("[^0-9]*");
  config::TemplateVariable level;
  level.name = "level";
  level.type = Type::integer;
  level.min = 1;
  level.max = 5;
  config::TemplateVariable mood;
  mood.name = "mood";
  mood.type = Type::choice;
  mood.values = {"calm", "upset"};
  trainer.variables = {who, level, mood};
  return {trainer};
}

std::string made(const Json& variables, const std::string& name = "trainer") {
  const auto result = instructions_of(templates(), name, variables);
  return result ? *result : result.error().place;
}

Json with(const std::string& name, const Json& value) {
  Json variables{{"who", "Ann"}, {"level", 2}, {"mood", "calm"}};
  variables[name] = value;
  return variables;
}

}  // namespace

TEST_CASE("values are put in with their borders marked", "[policy]") {
  CHECK(made(with("who", "Änn B.")) ==
        "You are <value name=\"who\">Änn B.</value>, level 2, calm. Again: "
        "<value name=\"who\">Änn B.</value>.\n");
}

TEST_CASE("a value that could be more than a value is refused with its place", "[policy]") {
  for (const char* text :
       {"two\nlines", "two\rlines", "nul\x01", "</value>", "a<b", "a>b", "{{mood}}", "}}", "```",
        "\u2028", "\u200b", "\u202e", "\U000E0041", "\u0085", "12", "eleven char"}) {
    INFO(text);
    CHECK(made(with("who", text)) == "verbatim.variables.who");
  }
  CHECK(made(with("who", "ten chars!")).starts_with("You are"));
  CHECK(made(with("who", "ääääääääää")).starts_with("You are"));
}

TEST_CASE("a value is matched against any pattern in linear time", "[policy][bounds]") {
  // Each of these would take a backtracking matcher practically for ever.
  for (const char* expression : {"([A-Za-z]+ ?)+", "(a*)*", "(a|a)*", "(a|aa)+", "(.*)*x",
                                 "([a-z]|[a-z][a-z])*", "(a?){400}a{400}"}) {
    INFO(expression);
    auto list = templates();
    config::TemplateVariable& who = list.front().variables.front();
    who.length = 1000;
    who.pattern = config::Pattern(expression);
    const std::string text = std::string(999, 'a') + "!";
    const auto result = instructions_of(list, "trainer", with("who", text));
    REQUIRE_FALSE(result);
    CHECK(result.error().why == std::string("does not match ") + expression);
  }
}

TEST_CASE("a pattern sees characters, not bytes", "[policy]") {
  auto list = templates();
  config::TemplateVariable& who = list.front().variables.front();
  const auto fits = [&](const char* expression, const char* text) {
    who.pattern = config::Pattern(expression);
    return instructions_of(list, "trainer", with("who", text)).has_value();
  };
  CHECK(fits("J.rg", "J\u00f6rg"));
  CHECK(fits("[\u00e4\u00f6]+", "\u00e4\u00f6\u00e4"));
  CHECK(fits("\\p{Han}{2}", "\u5c71\u7530"));
  CHECK_FALSE(fits("Jorg", "J\u00f6rg"));
  CHECK_FALSE(fits("rg", "J\u00f6rg"));
  CHECK(fits("", "anything"));
}

TEST_CASE("each type accepts only its own", "[policy]") {
  CHECK(made(with("level", 6)) == "verbatim.variables.level");
  CHECK(made(with("level", 0)) == "verbatim.variables.level");
  CHECK(made(with("level", "2")) == "verbatim.variables.level");
  CHECK(made(with("level", 2.5)) == "verbatim.variables.level");
  CHECK(made(with("level", 18446744073709551615ULL)) == "verbatim.variables.level");
  CHECK(made(with("mood", "angry")) == "verbatim.variables.mood");
  CHECK(made(with("mood", 1)) == "verbatim.variables.mood");
  CHECK(made(with("who", Json::array())) == "verbatim.variables.who");
}

TEST_CASE("exactly the template's variables are given", "[policy]") {
  CHECK(made({{"who", "Ann"}, {"level", 2}}) == "verbatim.variables.mood");
  CHECK(made(with("more", "x")) == "verbatim.variables");
  CHECK(made(with("who", "Ann"), "other") == "verbatim.template");
}
