#include "storage/search/words.hpp"

#include <vector>

#include "storage/search/characters.hpp"

namespace verbatim::search {

namespace {

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
static_assert(in_order(single_characters));

/// A mark belongs to the character before it.
constexpr Range marks[] = {
    {0x0E31, 0x0E31}, {0x0E34, 0x0E3A}, {0x0E47, 0x0E4E},   {0x0EB1, 0x0EB1},
    {0x0EB4, 0x0EBC}, {0x0EC8, 0x0ECE}, {0x102B, 0x103E},   {0x1056, 0x1059},
    {0x17B4, 0x17D3}, {0x3099, 0x309A}, {0x1F3FB, 0x1F3FF},
};
static_assert(in_order(marks));

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
