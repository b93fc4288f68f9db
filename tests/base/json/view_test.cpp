// The JSON readers against the grammar, against another parser, and at their limits.
#include <catch2/catch.hpp>

#include "base/json/outline.hpp"
#include "base/json/tree.hpp"
#include "base/json/view.hpp"
#include "base/utf8.hpp"
#include "tests/session/transcript/stream.hpp"

namespace js = verbatim::json;
using verbatim::Json;
using verbatim::session::test::Random;

namespace {

// ---- generated JSON ------------------------------------------------------------------------

std::string generated_string(Random& random) {
  static const std::string pieces[] = {
      "a",           "type",   "\"",         "\\",   "\n",
      "\u00e9",      "\u2028", "\U0001F600", "{",    "}",
      "]",           ",",      ":",          "\x01", std::string(1, '\0'),
      "plain words "};
  std::string out;
  for (std::size_t n = random.below(6); n > 0; --n) out += pieces[random.below(std::size(pieces))];
  return out;
}

Json generated(Random& random, int depth) {
  switch (random.below(depth > 4 ? 5 : 7)) {
    case 0:
      return nullptr;
    case 1:
      return random.below(2) == 0;
    case 2:
      return static_cast<std::int64_t>(random.next()) - 1'000'000'000;
    case 3:
      return static_cast<double>(random.next()) / 1024.0;
    case 4:
      return generated_string(random);
    case 5: {
      Json array = Json::array();
      for (std::size_t n = random.below(4); n > 0; --n)
        array.push_back(generated(random, depth + 1));
      return array;
    }
    default: {
      Json object = Json::object();
      for (std::size_t n = random.below(4); n > 0; --n)
        object["k" + std::to_string(random.below(9))] = generated(random, depth + 1);
      return object;
    }
  }
}

void compare(js::View view, const Json& json) {
  switch (view.kind()) {
    case js::Kind::null:
      REQUIRE(json.is_null());
      break;
    case js::Kind::boolean:
      REQUIRE(view.boolean() == json.get<bool>());
      break;
    case js::Kind::number:
      REQUIRE(view.integer() == static_cast<std::int64_t>(json.get<double>()));
      break;
    case js::Kind::string:
      REQUIRE(view.string() == json.get<std::string>());
      break;
    case js::Kind::array: {
      std::size_t n = 0;
      for (js::Elements elements(view); elements.next(); ++n) compare(elements.value(), json.at(n));
      REQUIRE(n == json.size());
      break;
    }
    case js::Kind::object: {
      std::size_t n = 0;
      for (js::Members members(view); members.next(); ++n) {
        compare(members.value(), json.at(std::string(members.key())));
        REQUIRE(view[members.key()].raw() == members.value().raw());
      }
      REQUIRE(n == json.size());
      break;
    }
    case js::Kind::absent:
      FAIL("absent: " << json.dump());
  }
}

bool accepts(std::string_view bytes) { return !js::check(bytes).has_value(); }

}  // namespace

TEST_CASE("the lazy reader reads generated JSON as another parser does", "[json]") {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    INFO("seed " << seed);
    Random random(seed);
    const Json json = generated(random, 0);
    const bool escaped = random.below(2) == 0;
    const std::string bytes = json.dump(random.below(2) == 0 ? -1 : 2, ' ', escaped);
    INFO(bytes);
    REQUIRE(accepts(bytes));
    compare(js::View::of(bytes), json);
  }
}

TEST_CASE("the strict reader accepts and refuses the same input as another parser", "[json]") {
  static const std::string noise = "{}[]\",:\\ \n\t0123456789.eE+-truefalsn\x01\x80\xC3\xA9u";
  int refused = 0;
  for (std::uint64_t seed = 0; seed < 5000; ++seed) {
    Random random(seed);
    std::string bytes = generated(random, 0).dump();
    for (std::size_t n = random.below(3); n > 0 && !bytes.empty(); --n) {
      const std::size_t at = random.below(bytes.size());
      if (random.below(2) == 0) {
        bytes[at] = noise[random.below(noise.size())];
      } else {
        bytes.erase(at, 1);
      }
    }
    // The other parser's own limits: numbers that it cannot hold, and half surrogate pairs.
    if (bytes.find("\\u") != bytes.npos || bytes.find_first_of("eE") != bytes.npos) continue;
    INFO("seed " << seed << ": " << bytes);
    REQUIRE(accepts(bytes) == Json::accept(bytes));
    if (!accepts(bytes)) ++refused;
  }
  CHECK(refused > 300);
}

TEST_CASE("the strict reader knows the grammar's corners", "[json]") {
  for (const char* good : {"0", "-0", "1e5", "-1.5E+10", "\"\"", "[]", "{}", " [ 1 , 2 ] ",
                           R"({"a":{"b":[null,true,false]}})", R"("\ud83d")", R"("\u0000\/\b")"}) {
    INFO(good);
    CHECK(accepts(good));
  }
  for (const char* bad : {"",
                          " ",
                          "01",
                          "1.",
                          ".5",
                          "-",
                          "+1",
                          "1e",
                          "nul",
                          "tru",
                          "[1,]",
                          "[,1]",
                          "{,}",
                          R"({"a"})",
                          R"({"a":})",
                          R"({"a":1,})",
                          R"({a:1})",
                          R"("\x")",
                          R"("\u12")",
                          "\"\n\"",
                          "\"open",
                          "[",
                          "]",
                          "{",
                          "}",
                          "[}",
                          "{]",
                          "1 2",
                          "{} {}",
                          "\xEF\xBB\xBF{}",
                          "\"\xC0\x80\"",
                          "\"\xED\xA0\x80\"",
                          "\"\xF5\x80\x80\x80\"",
                          "\"\xE2\x82\"",
                          "NaN",
                          "Infinity",
                          "'a'",
                          "// x\n1"}) {
    INFO(bad);
    CHECK_FALSE(accepts(bad));
  }
}

TEST_CASE("an error names its position", "[json]") {
  const auto fault = js::check(R"({"type":"x",})");
  REQUIRE(fault);
  CHECK(fault->offset == 12);
  CHECK(fault->what == "expected a quoted key");
}

TEST_CASE("a message with more values than allowed is not read to its end", "[P11][json]") {
  const auto elements = [](int count) {
    std::string list = "[";
    for (int i = 0; i < count; ++i) list += i == 0 ? "{}" : ",{}";
    return list + "]";
  };
  CHECK_FALSE(js::check(elements(99), 100));  // the array is one level itself
  const auto fault = js::check(elements(100) + " the bytes after it are not JSON", 100);
  REQUIRE(fault);
  CHECK(fault->too_many_values);
  CHECK(fault->offset == 1 + 99 * 3);
  CHECK_FALSE(js::check("[x]", 100)->too_many_values);
  // Counted as in the outline, so that no message passes one and fails the other.
  for (const char* text : {R"({"a":[1,2,{"b":[]}],"c":"d"})", "[[[],[]],[],1]", "1"}) {
    std::size_t values = 1;
    while (js::check(text, values)) ++values;
    CHECK(js::Outline(text, {values, 64}).fault() == js::Outline::Fault::none);
    if (values > 1)
      CHECK(js::Outline(text, {values - 1, 64}).fault() == js::Outline::Fault::too_many);
  }
}

TEST_CASE("nesting is bounded, without recursion", "[P11][json]") {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  CHECK(accepts(nested(js::max_depth)));
  CHECK_FALSE(accepts(nested(js::max_depth + 1)));
  CHECK_FALSE(accepts(std::string(1'000'000, '[')));
  CHECK(js::View::of(nested(js::max_depth)).exists());
  CHECK_FALSE(js::View::of(nested(js::max_depth + 1)).exists());
  CHECK_FALSE(js::View::of(std::string(1'000'000, '{')).exists());
}

TEST_CASE("strings decode to WTF-8, lone halves kept", "[json]") {
  const auto decoded = [](std::string_view bytes) { return js::View::of(bytes).string(); };
  CHECK(decoded(R"("\ud83d\ude00")") == "\xF0\x9F\x98\x80");
  CHECK(decoded(R"("\ud83d")") == "\xED\xA0\xBD");
  CHECK(decoded(R"("\ude00")") == "\xED\xB8\x80");
  CHECK(decoded(R"("\ud83dx")") == "\xED\xA0\xBDx");
  CHECK(decoded(R"("\ud83d\u0041")") ==
        "\xED\xA0\xBD"
        "A");
  CHECK(decoded(R"("\ud83d\ud83d\ude00")") == "\xED\xA0\xBD\xF0\x9F\x98\x80");
  CHECK(decoded(R"("\u0000\"\\\/\b\f\n\r\t\u00e9")") ==
        std::string("\0\"\\/\b\f\n\r\t\xC3\xA9", 11));
  CHECK_FALSE(decoded(R"("\q")"));
  CHECK_FALSE(decoded("\"\xFF\""));
  CHECK_FALSE(decoded("12"));
}

TEST_CASE("integers are exact, or cut, or refused", "[json]") {
  const auto integer = [](std::string_view bytes) { return js::View::of(bytes).integer(); };
  CHECK(integer("9223372036854775807") == INT64_MAX);
  CHECK(integer("-9223372036854775808") == INT64_MIN);
  CHECK(integer("1234.9") == 1234);
  CHECK(integer("-1.5") == -1);
  CHECK(integer("1e3") == 1000);
  CHECK_FALSE(integer("9223372036854775808"));
  CHECK_FALSE(integer("1e400"));
  CHECK_FALSE(integer("1x"));
  CHECK_FALSE(integer("\"1\""));
}

TEST_CASE("the lazy reader survives every cut of a message", "[P11][json]") {
  const std::string whole =
      R"({"a":"x\"y\\","b":[1,{"c":null}],"d":{"e":true,"f":"\ud83d"},"g":-1.5e3})";
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    const std::string cut = whole.substr(0, length);  // its own block: reads beyond are found
    const js::View view = js::View::of(cut);
    CHECK(view.exists() == (length == whole.size()));
    for (auto members = js::Members::begun(cut); members.next();) members.value().string();
  }
}

TEST_CASE("UTF-8 is judged by the table of the standard", "[json]") {
  namespace u = verbatim::utf8;
  for (std::uint32_t code = 0; code <= 0x10FFFF; code += code < 0x900 ? 1 : 37) {
    std::string bytes;
    u::append(bytes, code);
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    REQUIRE(u::is_valid(bytes) == !surrogate);
    REQUIRE(u::is_valid("padding " + bytes + " padding behind") == !surrogate);
    REQUIRE_FALSE(u::is_valid(bytes.substr(0, bytes.size() - 1) + "\xFF"));
  }
  for (std::size_t at = 0; at < 24; ++at) {
    for (const char special : {'"', '\\', '\x1F', '\x80', '\xFF', '\0'}) {
      std::string plain(24, 'a');
      plain[at] = special;
      REQUIRE(u::plain_prefix(plain) == at);
    }
  }
}

TEST_CASE("each byte is treated the same at every position of a long run", "[P11][json]") {
  namespace u = verbatim::utf8;
  constexpr std::size_t size = 2 * 64 + 24;  // blocks, groups of eight and single bytes
  for (int value = 0; value < 256; ++value) {
    const bool plain = value >= 0x20 && value < 0x80 && value != '"' && value != '\\';
    for (std::size_t at = 0; at < size; ++at) {
      std::string run(size, 'a');
      run[at] = static_cast<char>(value);
      REQUIRE(u::plain_prefix(run) == (plain ? size : at));
      REQUIRE(u::unescaped_prefix(run) == (plain || value >= 0x80 ? size : at));
      REQUIRE(u::is_valid(run) == (value < 0x80));
    }
  }
}

TEST_CASE("text in any language is checked to its last byte, wherever it is wrong", "[P11][json]") {
  const std::string text = "{\"a\":\"\u4F60\u597D \u00e9\\u00e9 \U0001F600\",\"b\":[\"\u4F60\"]}";
  REQUIRE_FALSE(js::check(text));
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (const char wrong : {'\xFF', '\x80', '\xC3', '\x01'}) {
      std::string bytes = text;
      if (bytes[at] == wrong) continue;
      bytes[at] = wrong;
      const auto fault = js::check(bytes);
      REQUIRE(fault.has_value() != Json::accept(bytes));  // it may have become another character
      if (!fault) continue;
      // The first wrong character: it contains the byte, or it is what the byte left of another
      // one.
      CAPTURE(at, fault->offset);
      REQUIRE(fault->offset <= at + 2);
      REQUIRE(fault->offset + 4 > at);
    }
  }
}

TEST_CASE("an object gone through once has the members that a view finds", "[json]") {
  Random random(7);
  for (const std::size_t members : {0UL, 1UL, 15UL, 16UL, 17UL, 40UL}) {
    std::string text = "{";
    for (std::size_t i = 0; i < members; ++i) {
      // Some members occur twice: the first counts.
      text += (i == 0 ? "" : ", ") + Json("k" + std::to_string(random.below(members))).dump() +
              ": " + std::to_string(i);
    }
    text += "}";
    CAPTURE(text);
    const js::View view = js::View::of(text);
    js::Object object(view);
    js::Object begun = js::Object::begun(text);
    for (int asked = 0; asked < 200; ++asked) {
      const std::string key = "k" + std::to_string(random.below(members + 3));
      REQUIRE(object[key].raw() == view[key].raw());
      REQUIRE(begun[key].raw() == view[key].raw());
    }
  }
}
