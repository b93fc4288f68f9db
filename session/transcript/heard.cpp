#include "session/transcript/heard.hpp"

#include <string>
#include <string_view>

namespace verbatim::transcript {
namespace {

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

/// U+3000 to U+9FFF: scripts without spaces between words, so a word may end at any character.
bool is_unspaced(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte >= 0xE3 && byte <= 0xE9;
}

/// True if a cut before byte `at` leaves only whole words before it.
bool is_word_boundary(std::string_view text, std::size_t at) {
  return is_space(text[at]) || is_unspaced(text[at]) ||
         (at >= 3 && is_unspaced(text[at - 3]) &&
          (static_cast<unsigned char>(text[at]) & 0xC0) != 0x80);
}

std::string_view cut_at_word(std::string_view text, std::size_t at) {
  while (at > 0 && !is_word_boundary(text, at)) --at;
  while (at > 0 && is_space(text[at - 1])) --at;
  return text.substr(0, at);
}

}  // namespace

void append_part(Text& joined, const Text& part) {
  if (part.empty()) return;
  if (!joined.empty()) joined.append(Text::from_wtf8("\n"));
  joined.append(part);
}

std::optional<Text> estimate_heard(const std::vector<Part>& parts, int content_index,
                                   std::int64_t audio_ms, std::int64_t sent_ms) {
  Text heard;
  if (audio_ms <= 0) return heard;
  if (sent_ms <= 0) return std::nullopt;
  for (const Part& part : parts) {
    if (part.content_index < content_index) {
      append_part(heard, part.text);
    } else if (part.content_index == content_index) {
      const std::string& text = part.text.wtf8();
      const double fraction = static_cast<double>(audio_ms) / static_cast<double>(sent_ms);
      const auto at = fraction < 1
                          ? static_cast<std::size_t>(fraction * static_cast<double>(text.size()))
                          : text.size();
      append_part(heard, at >= text.size() ? part.text
                                           : Text::from_wtf8(std::string(cut_at_word(text, at))));
    }
  }
  return heard;
}

}  // namespace verbatim::transcript
