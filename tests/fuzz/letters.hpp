// Compares names and types as a lenient reader does. Separate from the program's functions, which
// are under test.
#pragma once

#include <string>
#include <string_view>

/// Letters and digits only, in lower case.
inline std::string letters(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const char small = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    if ((small >= 'a' && small <= 'z') || (small >= '0' && small <= '9')) out += small;
  }
  return out;
}
