#include "base/printable.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/json/dump.hpp"

namespace verbatim {

namespace {

bool is_control(std::uint32_t code) {
  const auto within = [code](std::uint32_t first, std::uint32_t last) {
    return code >= first && code <= last;
  };
  return within(0x7F, 0x9F) ||      // DEL and C1: some terminals read 0x9B as ESC [
         within(0x200B, 0x200F) ||  // zero-width characters; marks for text direction
         within(0x2028, 0x202E) ||  // line and paragraph separators, embeddings and overrides
         within(0x2066, 0x2069) ||  // isolates
         code == 0x061C || code == 0xFEFF;
}

/// The code point of two or three bytes that begins at `at`, which is valid UTF-8; 0 for one of
/// four bytes.
std::uint32_t code_at(std::string_view text, std::size_t at, std::size_t& size) {
  const auto byte = [&](std::size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
  };
  const std::uint32_t first = byte(0);
  size = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (size == 1) return first;
  if (size == 2) return (first & 0x1F) << 6 | (byte(1) & 0x3F);
  if (size == 3) return (first & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
  return 0;
}

bool is_bare_word(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c <= '~' && c != '"' && c != '\\' && c != '=';
  });
}

}  // namespace

std::string without_controls(std::string json_text) {
  std::string out;
  std::size_t copied = 0;
  std::size_t size = 1;
  for (std::size_t at = 0; at < json_text.size(); at += size) {
    const std::uint32_t code = code_at(json_text, at, size);
    if (!is_control(code)) continue;
    std::array<char, 7> escape{};
    std::snprintf(escape.data(), escape.size(), "\\u%04x", code);
    out.append(json_text, copied, at - copied).append(escape.data());
    copied = at + size;
  }
  if (copied == 0) return json_text;
  return out.append(json_text, copied);
}

std::string printable(const std::string& text) {
  if (is_bare_word(text)) return text;
  const nlohmann::json value(text);
  return without_controls(dump(value));
}

}  // namespace verbatim
