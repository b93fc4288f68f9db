// Names and types as a careless reader compares them. Apart from the program's own functions, which
// are what is fuzzed.
#pragma once

#include <string>
#include <string_view>

/// Letters and digits alone, in lower case.
inline std::string letters(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const char small = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    if ((small >= 'a' && small <= 'z') || (small >= '0' && small <= '9')) out += small;
  }
  return out;
}
