// The outline, a flat list of a message's values; and messages that can be read in two ways.
#include "base/json/outline.hpp"
#include "base/json/tree.hpp"

#include <catch2/catch.hpp>

using namespace verbatim;
using namespace verbatim::json;

namespace {

using Index = Outline::Index;
using What = Outline::Fault;

/// The outline as a tree, to compare it with another parser's result.
Json rebuilt(const Outline& outline, Index value) {
  Json tree;
  switch (outline.kind(value)) {
    case Kind::object:
      tree = Json::object();
      for (Index i = Outline::first(value); i < outline.end(value); i = outline.end(i))
        tree[outline.name(i)] = rebuilt(outline, i);
      return tree;
    case Kind::array:
      tree = Json::array();
      for (Index i = Outline::first(value); i < outline.end(value); i = outline.end(i))
        tree.push_back(rebuilt(outline, i));
      return tree;
    case Kind::string:
      return outline.text(value);
    default:
      return Json::parse(outline.raw(value));
  }
}

What fault(const std::string& bytes, OutlineLimits limits = {}) {
  return Outline(bytes, limits).fault();
}

}  // namespace

TEST_CASE("an outline has all that a message has", "[json]") {
  for (
      const std::string bytes :
      {R"({})", R"([])", R"("")", R"(0)", R"( { "a" : [ ] , "b" : { } } )",
       R"({"a":{"b":{"c":[1,-2.5e3,[true,[false,null]],{"d":""}]}},"e":"\"\\\n\u00e4\ud83d\ude00"})",
       R"([[],[{}],[{"x":[{"y":[]}]}],"],}"])", R"({"":0,"\u0041":1,"\\":2,"\"":3})"}) {
    INFO(bytes);
    const Outline outline(bytes);
    REQUIRE(outline.fault() == What::none);
    CHECK(rebuilt(outline, 0) == Json::parse(bytes));
  }
  const std::string bytes = R"({"a":{"b":[1, 2]} , "c":3})";
  const Outline outline(bytes);
  CHECK(outline.raw(1) == R"({"b":[1, 2]})");
  CHECK(outline.raw(2) == "[1, 2]");
  CHECK(outline.name(outline.end(1)) == "c");
}

TEST_CASE("a name that occurs twice in an object is an error, in upper or lower case", "[json]") {
  CHECK(fault(R"({"a":1,"a":1})") == What::name_twice);
  CHECK(fault(R"([{"x":{"a":1,"b":{},"A":1}}])") == What::name_twice);
  CHECK(fault(R"({"a":1,"\u0061":1})") == What::name_twice);
  CHECK(fault(R"({"ab":1,"\u0041B":1})") == What::name_twice);
  CHECK(fault(R"({"":1,"":1})") == What::name_twice);
  CHECK(fault(R"({"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]})") == What::none);
}

TEST_CASE("half a character is a fault in names and in texts", "[json]") {
  CHECK(fault(R"(["\ud800"])") == What::half_character);
  CHECK(fault(R"(["\udc00"])") == What::half_character);
  CHECK(fault(R"(["\ud83dx\ude00"])") == What::half_character);
  CHECK(fault(R"(["\ud83d\ud83d\ude00"])") == What::half_character);
  CHECK(fault(R"({"\ud800":1})") == What::half_character);
  CHECK(fault(R"(["\\ud800","\ud83d\ude00","\\\\udc00"])") == What::none);
}

TEST_CASE("a walk ends at its limits, and where the JSON is invalid", "[json][bounds]") {
  CHECK(fault("[1,2,3]", {4, 8}) == What::none);
  CHECK(fault("[1,2,3]", {3, 8}) == What::too_many);
  CHECK(fault("[[[]]]", {100, 3}) == What::none);
  CHECK(fault("[[[[]]]]", {100, 3}) == What::too_deep);
  CHECK(fault(std::string(1000, '['), {10'000, 1000}) == What::too_deep);
  for (const char* bytes : {"", " ", "{", "[1", "[1,", "[1}", "{\"a\"}", "{\"a\":}", "{a:1}", "[]]",
                            "\"", "\"\\", "[,]", "{,}", "x", "[1 2]", "{\"a\":1,}"}) {
    INFO(bytes);
    CHECK(fault(bytes) == What::not_json);
  }
}
