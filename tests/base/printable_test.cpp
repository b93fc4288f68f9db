// Text from outside in a log and on a terminal: without control characters.
#include "base/printable.hpp"
#include "base/json/tree.hpp"

#include <catch2/catch.hpp>

using namespace verbatim;

TEST_CASE("a plain word is written as it is, anything else as a JSON string", "[log]") {
  CHECK(printable("sess_1") == "sess_1");
  CHECK(printable("http://127.0.0.1:80/x?y") == "http://127.0.0.1:80/x?y");
  CHECK(printable("") == R"("")");
  CHECK(printable("two words") == R"("two words")");
  CHECK(printable("a=b") == R"("a=b")");
  CHECK(printable(R"(say "x" \)") == R"("say \"x\" \\")");
  CHECK(printable("Zo\xC3\xAB") == "\"Zo\xC3\xAB\"");
  CHECK(printable("\xE8\xAF\xAD\xE9\x9F\xB3 \xF0\x9F\x98\x80") ==
        "\"\xE8\xAF\xAD\xE9\x9F\xB3 \xF0\x9F\x98\x80\"");
}

TEST_CASE("control characters are written as escapes, each kind of them", "[log][P10]") {
  for (const auto& [raw, shown] : std::vector<std::pair<std::string, std::string>>{
           {"\x1b[2J", R"("\u001b[2J")"},
           {"a\x07", R"("a\u0007")"},
           {"a\b\b", R"("a\b\b")"},
           {"a\nfake line", R"("a\nfake line")"},
           {std::string("a\0b", 3), R"("a\u0000b")"},
           {"a\x7f", R"("a\u007f")"},
           {"a\xC2\x9B"
            "31m",
            R"("a\u009b31m")"},  // CSI in one character
           {"a\xC2\x85"
            "b",
            R"("a\u0085b")"},  // next line
           {"a\xE2\x80\xA8"
            "b",
            R"("a\u2028b")"},  // line separator
           {"a\xE2\x80\xAE"
            "b",
            R"("a\u202eb")"},  // right-to-left override
           {"a\xE2\x81\xA7"
            "b",
            R"("a\u2067b")"},  // isolate
           {"a\xE2\x80\x8B"
            "b",
            R"("a\u200bb")"},  // zero width
           {"\xEF\xBB\xBF"
            "a",
            R"("\ufeffa")"},
           {"\xD8\x9C"
            "a",
            R"("\u061ca")"},
       }) {
    INFO(shown);
    CHECK(printable(raw) == shown);
    CHECK(Json::parse(printable(raw)).get<std::string>() == raw);
  }
}

TEST_CASE("invalid bytes do not hide a control character after them", "[log][P10]") {
  for (const std::string lead : {"\xC2", "\xE2\x80", "\xF0\x9F", "\xFF"}) {
    const std::string shown = printable(lead + "\x1b[2J\x7f");
    CHECK(shown.find('\x1b') == std::string::npos);
    CHECK(shown.find('\x7f') == std::string::npos);
  }
}

TEST_CASE("text for a terminal keeps its lines and letters, and nothing that is executed",
          "[log][P10]") {
  CHECK(for_terminal("two\nlines\tand Zo\xC3\xAB") == "two\nlines\tand Zo\xC3\xAB");
  CHECK(for_terminal("a\x1b[2J\r\x07") == "a\\u001b[2J\\u000d\\u0007");
  CHECK(for_terminal(std::string("a\0b", 3)) == "a\\u0000b");
  CHECK(for_terminal("\xC2\x9B"
                     "31m \x7f") == "\\u009b31m \\u007f");
  CHECK(for_terminal("\xE2\x80\xAEtxt") == "\\u202etxt");
  const std::string family = "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7";  // with a joiner
  CHECK(for_terminal(family) == family);
}
