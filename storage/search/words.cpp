#include "storage/search/words.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace verbatim::search {

namespace {

struct Range {
  char32_t first;
  char32_t last;
};

/// Scripts without blanks between words, and emoji.
constexpr Range single_characters[] = {
    {0x0E00, 0x0E7F},    // Thai
    {0x0E80, 0x0EFF},    // Lao
    {0x1000, 0x109F},    // Myanmar
    {0x1780, 0x17FF},    // Khmer
    {0x2600, 0x27BF},    // symbols, dingbats
    {0x2E80, 0x2FDF},    // CJK radicals
    {0x3005, 0x3007},    // ideographic iteration mark, zero
    {0x3040, 0x30FF},    // Hiragana, Katakana
    {0x31F0, 0x31FF},    // Katakana extensions
    {0x3400, 0x4DBF},    // CJK extension A
    {0x4E00, 0x9FFF},    // CJK
    {0xF900, 0xFAFF},    // CJK compatibility
    {0xFE00, 0xFE0F},    // variation selectors
    {0xFF66, 0xFF9F},    // halfwidth Katakana
    {0x1F000, 0x1FAFF},  // emoji
    {0x20000, 0x3FFFF},  // CJK extensions B and later
};

/// A mark belongs to the character before it.
constexpr Range marks[] = {
    {0x0E31, 0x0E31}, {0x0E34, 0x0E3A}, {0x0E47, 0x0E4E},   {0x0EB1, 0x0EB1},
    {0x0EB4, 0x0EBC}, {0x0EC8, 0x0ECE}, {0x102B, 0x103E},   {0x1056, 0x1059},
    {0x17B4, 0x17D3}, {0x3099, 0x309A}, {0x1F3FB, 0x1F3FF},
};

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
Decoded decode(std::string_view text, std::size_t at) {
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

bool is_blank(char c) { return static_cast<unsigned char>(c) <= ' '; }

/// A word or a phrase of the question.
struct Term {
  std::string text;
  bool begins = false;  ///< it is the beginning of a word
};

std::vector<Term> terms_of(std::string_view question) {
  std::vector<Term> terms;
  std::size_t at = 0;
  while (at < question.size()) {
    if (is_blank(question[at])) {
      ++at;
      continue;
    }
    Term& term = terms.emplace_back();
    const bool quoted = question[at] == '"';
    if (quoted) ++at;
    const auto ends = [&](char c) { return c == '"' || (!quoted && is_blank(c)); };
    while (at < question.size() && !ends(question[at])) term.text += question[at++];
    if (quoted && at < question.size()) ++at;
    if (!quoted || (at < question.size() && question[at] == '*')) {
      if (quoted) ++at;
      term.begins = quoted || term.text.ends_with('*');
    }
  }
  return terms;
}

}  // namespace

std::string with_boundaries(std::string_view text) {
  std::string split;
  split.reserve(text.size());
  bool open = false;  // behind a character that is a word of its own
  for (std::size_t at = 0; at < text.size();) {
    const auto [value, length] = decode(text, at);
    const bool mark = within(marks, value);
    const bool single = !mark && within(single_characters, value);
    if (single || (open && !mark)) split += boundary;
    if (!mark) open = single;
    split += text.substr(at, length);
    at += length;
  }
  return split;
}

std::string without_boundaries(std::string_view text) {
  std::string joined(text);
  std::erase(joined, boundary);
  return joined;
}

std::string match_expression(std::string_view question) {
  std::string expression;
  for (const Term& term : terms_of(question)) {
    std::string words = term.text;
    std::erase(words, '\0');
    while (words.ends_with('*')) words.pop_back();
    if (words.empty()) continue;
    const std::string text = with_boundaries(words);
    if (!expression.empty()) expression += ' ';
    expression += '"' + text + '"';
    if (term.begins) expression += '*';
  }
  return expression;
}

std::string after_prefix(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xFF') prefix.pop_back();
  if (!prefix.empty())
    prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

}  // namespace verbatim::search
