#include "session/transcript/merge/text_similarity.hpp"

#include <algorithm>
#include <vector>

namespace verbatim::transcript {
namespace {

bool is_ascii_word(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::vector<std::string_view> sorted_words(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  std::sort(words.begin(), words.end());
  return words;
}

}  // namespace

std::string spoken_words(std::string_view text) {
  std::string words;
  words.reserve(text.size());
  bool pause = false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == '\'') continue;  // don't and dont are equal
    if (!is_ascii_word(byte) && byte < 0x80) {
      pause = !words.empty();
      continue;
    }
    if (pause) words += ' ';
    pause = false;
    words += byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + ('a' - 'A')) : c;
  }
  if (words.empty()) words = std::string(text);
  return words;
}

bool begins_with(std::string_view longer, std::string_view shorter) {
  return !shorter.empty() && longer.size() > shorter.size() && longer.starts_with(shorter);
}

bool similar(std::string_view a, std::string_view b) {
  if (std::max(a.size(), b.size()) > compared_bytes_max) {
    // A text that is three times as long has at least half of its words for itself.
    if (std::max(a.size(), b.size()) / 3 > std::min(a.size(), b.size())) return false;
    a = a.substr(0, compared_bytes_max);
    b = b.substr(0, compared_bytes_max);
  }
  const auto ours = sorted_words(a);
  const auto theirs = sorted_words(b);
  std::vector<std::string_view> shared;
  std::set_intersection(ours.begin(), ours.end(), theirs.begin(), theirs.end(),
                        std::back_inserter(shared));
  return 2 * shared.size() * 2 > ours.size() + theirs.size();
}

}  // namespace verbatim::transcript
