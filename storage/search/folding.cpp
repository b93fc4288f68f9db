#include "storage/search/folding.hpp"

#include <algorithm>
#include <iterator>

#include "storage/search/characters.hpp"

namespace verbatim::search {

namespace {

/// Vowel signs and accents of Hebrew and Arabic, and the line that only stretches an Arabic word.
constexpr Range signs[] = {
    {0x0591, 0x05BD}, {0x05BF, 0x05BF}, {0x05C1, 0x05C2}, {0x05C4, 0x05C5}, {0x05C7, 0x05C7},
    {0x0610, 0x061A}, {0x0640, 0x0640}, {0x064B, 0x065F}, {0x0670, 0x0670}, {0x06D6, 0x06DC},
    {0x06DF, 0x06E4}, {0x06E7, 0x06E8}, {0x06EA, 0x06ED},
};
static_assert(in_order(signs));

struct Fold {
  char32_t from;
  std::string_view to;
};

/// In order. Greek vowels lose tonos and dialytika.
constexpr Fold folds[] = {
    // Sharp s.
    {0x00DF, "ss"},
    {0x0390, "\xCE\xB9"},
    {0x03AC, "\xCE\xB1"},
    {0x03AD, "\xCE\xB5"},
    {0x03AE, "\xCE\xB7"},
    {0x03AF, "\xCE\xB9"},
    {0x03B0, "\xCF\x85"},
    // Final sigma.
    {0x03C2, "\xCF\x83"},
    {0x03CA, "\xCE\xB9"},
    {0x03CB, "\xCF\x85"},
    {0x03CC, "\xCE\xBF"},
    {0x03CD, "\xCF\x85"},
    {0x03CE, "\xCF\x89"},
    // Cyrillic yo.
    {0x0451, "\xD0\xB5"},
    // Forms of alef, teh marbuta, alef maksura, alef wasla, Persian kaf and yeh.
    {0x0622, "\xD8\xA7"},
    {0x0623, "\xD8\xA7"},
    {0x0625, "\xD8\xA7"},
    {0x0629, "\xD9\x87"},
    {0x0649, "\xD9\x8A"},
    {0x0671, "\xD8\xA7"},
    {0x06A9, "\xD9\x83"},
    {0x06CC, "\xD9\x8A"},
};

}  // namespace

std::string folded(std::string_view word) {
  std::string out;
  out.reserve(word.size());
  for (std::size_t at = 0; at < word.size();) {
    const auto [value, length] = decode(word, at);
    const std::string_view character = word.substr(at, length);
    at += length;
    if (within(signs, value)) continue;
    const auto* const fold =
        std::lower_bound(std::begin(folds), std::end(folds), value,
                         [](const Fold& one, char32_t wanted) { return one.from < wanted; });
    out += fold != std::end(folds) && fold->from == value ? fold->to : character;
  }
  return out;
}

}  // namespace verbatim::search
