#include "base/json/plain_name.hpp"

#include <algorithm>

#include "base/ascii.hpp"

namespace verbatim {

std::string folded(std::string_view name) {
  std::string out;
  out.reserve(name.size());
  for (const char c : name) {
    if (c == '_' || c == '-') continue;
    out += lower_case(c);
  }
  return out;
}

bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

bool reads_as(std::string_view name, std::string_view wanted) {
  std::size_t found = 0;
  for (const char c : name) {
    const char small = lower_case(c);
    const bool counts = (small >= 'a' && small <= 'z') || (small >= '0' && small <= '9');
    if (!counts) continue;
    if (found == wanted.size() || small != wanted[found]) return false;
    ++found;
  }
  return found == wanted.size();
}

}  // namespace verbatim
