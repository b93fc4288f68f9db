#include "storage/search/words.hpp"

#include <catch2/catch.hpp>

using namespace verbatim::search;

namespace {

/// With | for a boundary.
std::string visible(std::string text) {
  for (char& c : text)
    if (c == boundary) c = '|';
  return text;
}

std::string split(std::string_view text) { return visible(with_boundaries(text)); }
std::string asked(std::string_view question) { return visible(match_expression(question)); }

}  // namespace

TEST_CASE("characters of scripts without blanks are words of their own, with their marks",
          "[search][words]") {
  CHECK(split("plain words, even naïve ones") == "plain words, even naïve ones");
  CHECK(split("今天A b") == "|今|天|A b");
  CHECK(split("ok🎉ok") == "ok|🎉|ok");
  CHECK(split("กี่") == "|กี่");  // two marks belong to the consonant
  CHECK(split("Привет, हिन्दी") == "Привет, हिन्दी");
}

TEST_CASE("boundaries change no byte of a text, even if it is not UTF-8", "[search][words]") {
  for (int first = 0; first < 256; ++first) {
    for (const int second : {0, 0x61, 0x80, 0xBF, 0xC3, 0xE4, 0xF0, 0xFF}) {
      const std::string text{'x', static_cast<char>(first), static_cast<char>(second)};
      if (text.find(boundary) != std::string::npos) continue;
      CHECK(without_boundaries(with_boundaries(text)) == text);
    }
  }
}

TEST_CASE("a question becomes quoted words, so that none is an operator of the engine",
          "[search][words]") {
  CHECK(asked("wrong invoice") == R"("wrong" "invoice")");
  CHECK(asked(R"("wrong invoice" refund*)") == R"("wrong invoice" "refund"*)");
  CHECK(asked(R"("wrong inv"*)") == R"("wrong inv"*)");
  CHECK(asked("a AND NEAR( b") == R"("a" "AND" "NEAR(" "b")");
  CHECK(asked(R"(open "quote)") == R"("open" "quote")");
  CHECK(asked(R"(a"b)") == R"("a" "b")");
  CHECK(asked("天气*") == R"("|天|气"*)");
  CHECK(asked("* ** ").empty());
  CHECK(asked(R"("" " ")") == R"(" ")");
  CHECK(asked("  \t\n ").empty());
}

TEST_CASE("all texts with a prefix lie below the text after it", "[search][words]") {
  CHECK(after_prefix("ab") == "ac");
  CHECK(after_prefix("a\xFF") == "b");
  CHECK(after_prefix("\xFF\xFF").empty());
  CHECK(after_prefix("").empty());
}
