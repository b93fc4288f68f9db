// Base64, in both alphabets.
#include "base/base64.hpp"

#include <catch2/catch.hpp>
#include <utility>

using namespace verbatim;

TEST_CASE("base64 is that of RFC 4648, with padding or for URLs", "[text]") {
  const std::pair<std::string, std::string> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"},
                                                         {"\xFB\xFF\xBF", "+/+/"}};
  for (const auto& [bytes, text] : vectors) {
    INFO(text);
    CHECK(base64(bytes) == text);
    std::string back;
    CHECK(decode_base64(text, back));
    CHECK(back == bytes);
    std::string plain = text.substr(0, text.find('='));
    for (char& c : plain) c = c == '+' ? '-' : c == '/' ? '_' : c;
    CHECK(base64url(bytes) == plain);
    CHECK(from_base64url(plain) == bytes);
  }
}

TEST_CASE("every byte string has one encoding for URLs", "[text][auth]") {
  for (const char* other : {"A", "AAAAA", "Zh", "Zm9=", "Zg==", "Zg=", "+_", "Z g", "Zm9v\n"}) {
    INFO(other);
    CHECK_FALSE(from_base64url(other));
  }
  CHECK(from_base64url("Zg") == "f");
}

TEST_CASE("base64 decodes up to an error, and appends", "[text]") {
  std::string out = "kept";
  CHECK_FALSE(decode_base64("Zm9vZm9%", out));
  CHECK(out == "keptfoo");
  encode_base64("fo", out);
  CHECK(out == "keptfooZm8=");
}
