// The strict reader of json/view.hpp: one pass, no recursion, no tree. Pure; any thread.
#include <bitset>

#include "base/json/view.hpp"
#include "base/utf8.hpp"

namespace verbatim::json {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

class Checker {
 public:
  Checker(std::string_view bytes, std::size_t values_max)
      : bytes_(bytes), values_max_(values_max) {}

  std::optional<Fault> run() {
    if (document()) return std::nullopt;
    return Fault{at_, what_, too_many_values_};
  }

 private:
  char peek() const { return at_ < bytes_.size() ? bytes_[at_] : '\0'; }
  bool at_end() const { return at_ == bytes_.size(); }

  bool fail(std::string_view what) {
    what_ = at_end() ? "the message ends too early" : what;
    return false;
  }

  void skip_space() {
    while (!at_end() && (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r'))
      ++at_;
  }

  bool take(char expected) {
    if (at_end() || peek() != expected) return false;
    ++at_;
    return true;
  }

  /// Values and the brackets around them. For each open bracket, `open_` says whether it is an
  /// object's: nesting costs one bit and no stack.
  bool document() {
    skip_space();
    do {
      bool opened = false;
      if (!value(opened)) return false;
      if (opened) continue;
      if (!close_brackets()) return false;
    } while (depth_ > 0);
    skip_space();
    return at_end() || fail("something follows the value");
  }

  /// Reads one value, or an opening bracket and everything up to the next value.
  bool value(bool& opened) {
    if (values_++ == values_max_) {
      too_many_values_ = true;
      return fail("too many values");
    }
    switch (peek()) {
      case '{':
      case '[': {
        const bool object = peek() == '{';
        if (depth_ == max_depth) return fail("nested too deeply");
        ++at_;
        open_[depth_++] = object;
        skip_space();
        if (peek() == (object ? '}' : ']')) return true;
        opened = true;
        return !object || key();
      }
      case '"':
        return string();
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        return number();
    }
  }

  /// After a value: reads closing brackets, then goes to the place of the next value.
  bool close_brackets() {
    while (depth_ > 0) {
      const bool object = open_[depth_ - 1];
      skip_space();
      if (take(object ? '}' : ']')) {
        --depth_;
        continue;
      }
      if (!take(',')) return fail(object ? "expected ',' or '}'" : "expected ',' or ']'");
      skip_space();
      return !object || key();
    }
    return true;
  }

  bool key() {
    if (peek() != '"') return fail("expected a quoted key");
    if (!string()) return false;
    skip_space();
    if (!take(':')) return fail("expected ':'");
    skip_space();
    return true;
  }

  bool string() {
    ++at_;
    for (;;) {
      const std::string_view rest = bytes_.substr(at_);
      at_ += rest_is_utf8_ ? utf8::unescaped_prefix(rest) : utf8::plain_prefix(rest);
      if (at_end()) return fail("");
      const char c = peek();
      if (take('"')) return true;
      if (c == '\\') {
        if (!escape()) return false;
      } else if (static_cast<unsigned char>(c) < 0x20) {
        return fail("control character in a string");
      } else if (!non_ascii()) {
        return fail("invalid UTF-8");
      }
    }
  }

  /// Reads a character that is not ASCII. The first one checks the rest of the message at once, so
  /// that text in any language costs as little as ASCII. If that fails, each character is checked,
  /// to find the first that is wrong.
  bool non_ascii() {
    if (!rest_examined_) {
      rest_examined_ = true;
      rest_is_utf8_ = utf8::is_valid(bytes_.substr(at_));
    }
    if (rest_is_utf8_) return true;  // unescaped_prefix() passes over it
    const std::size_t length = utf8::sequence_length(bytes_.substr(at_));
    at_ += length;
    return length > 0;
  }

  bool escape() {
    ++at_;
    if (!take('u')) {
      if (at_end() || std::string_view("\"\\/bfnrt").find(peek()) == std::string_view::npos)
        return fail("unknown escape");
      ++at_;
      return true;
    }
    for (int i = 0; i < 4; ++i, ++at_)
      if (at_end() || !is_hex(peek())) return fail("expected four hexadecimal digits");
    return true;
  }

  bool word(std::string_view expected) {
    if (bytes_.substr(at_, expected.size()) != expected) return fail("expected a value");
    at_ += expected.size();
    return true;
  }

  bool digits() {
    if (!is_digit(peek())) return fail("expected a digit");
    while (is_digit(peek())) ++at_;
    return true;
  }

  bool number() {
    const bool negative = take('-');
    if (!negative && !is_digit(peek())) return fail("expected a value");
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      return digits();
    }
    return true;
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
  std::string_view what_;
  const std::size_t values_max_;
  std::size_t values_ = 0;
  bool too_many_values_ = false;
  bool rest_examined_ = false;
  bool rest_is_utf8_ = false;  ///< from the first character that is not ASCII
  std::bitset<max_depth> open_;
  std::size_t depth_ = 0;
};

}  // namespace

std::optional<Fault> check(std::string_view bytes, std::size_t values_max) {
  return Checker(bytes, values_max).run();
}

}  // namespace verbatim::json
