// Basic steps over JSON text, shared by the readers of json/view.hpp and json/outline.hpp.
//
// Pure; any thread; never read outside the given bytes.
#pragma once

#include <charconv>
#include <cstddef>
#include <optional>
#include <string_view>
#include <system_error>

namespace verbatim::json {

inline bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

inline void skip_space(std::string_view& in) {
  std::size_t n = 0;
  while (n < in.size() && is_space(in[n])) ++n;
  in.remove_prefix(n);
}

/// Length of the string at the front of `in`, both quotes included; npos if it does not end.
/// Searches for quotes only: a payload without quotes costs one call of memchr.
inline std::size_t string_length(std::string_view in) {
  for (std::size_t quote = in.find('"', 1); quote != in.npos; quote = in.find('"', quote + 1)) {
    std::size_t backslashes = 0;
    while (in[quote - 1 - backslashes] == '\\') ++backslashes;  // stops at the opening quote
    if (backslashes % 2 == 0) return quote + 1;
  }
  return in.npos;
}

/// A character of a number, or of true, false and null.
inline bool is_word_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
         c == '-' || c == '.';
}

/// The four digits after \u; nullopt if they are not four hexadecimal digits.
inline std::optional<unsigned> hex4(std::string_view in) {
  unsigned value = 0;
  if (in.size() < 4) return std::nullopt;
  const auto [end, error] = std::from_chars(in.data(), in.data() + 4, value, 16);
  if (error != std::errc() || end != in.data() + 4) return std::nullopt;
  return value;
}

inline bool is_high_half(unsigned code) { return code >= 0xD800 && code <= 0xDBFF; }
inline bool is_low_half(unsigned code) { return code >= 0xDC00 && code <= 0xDFFF; }

}  // namespace verbatim::json
