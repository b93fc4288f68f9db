// Characters of UTF-8 text, and ranges of them. Pure; any thread. Any bytes are accepted.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace verbatim::search {

struct Range {
  char32_t first;
  char32_t last;
};

/// For a static_assert beside each table: within() needs the ranges in order.
template <std::size_t N>
constexpr bool in_order(const Range (&ranges)[N]) {
  for (std::size_t i = 0; i < N; ++i)
    if (ranges[i].first > ranges[i].last || (i > 0 && ranges[i - 1].last >= ranges[i].first))
      return false;
  return true;
}

template <std::size_t N>
bool within(const Range (&ranges)[N], char32_t c) {
  const auto* const end = std::end(ranges);
  const auto* const at =
      std::lower_bound(std::begin(ranges), end, c,
                       [](const Range& one, char32_t wanted) { return one.last < wanted; });
  return at != end && at->first <= c;
}

/// The character that begins at `at`, and its length. A byte that begins none is a character.
struct Decoded {
  char32_t value = 0;
  std::size_t length = 1;
};
inline Decoded decode(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[at + i]); };
  const std::uint8_t first = byte(0);
  const std::size_t length = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (length == 1 || at + length > text.size()) return {first, 1};
  char32_t value = first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {first, 1};
    value = value << 6 | (byte(i) & 0x3FU);
  }
  return {value, length};
}

}  // namespace verbatim::search
