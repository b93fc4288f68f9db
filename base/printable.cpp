#include "base/printable.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <utility>

#include "base/json/dump.hpp"
#include "base/json/tree.hpp"

namespace verbatim {

namespace {

bool is_within(std::uint32_t code, std::uint32_t first, std::uint32_t last) {
  return code >= first && code <= last;
}

/// Whether a terminal executes the character, or shows the text around it in another order.
bool is_executed(std::uint32_t code) {
  return is_within(code, 0x7F, 0x9F) ||      // DEL and C1: some terminals read 0x9B as ESC [
         is_within(code, 0x2028, 0x202E) ||  // separators of lines, embeddings and overrides
         is_within(code, 0x2066, 0x2069);    // isolates
}

bool is_control(std::uint32_t code) {
  return is_executed(code) ||
         is_within(code, 0x200B, 0x200F) ||  // zero-width characters; marks for text direction
         code == 0x061C || code == 0xFEFF;
}

bool is_executed_in_lines(std::uint32_t code) {
  return is_executed(code) || (code < ' ' && code != '\n' && code != '\t');
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

std::string escaped(std::string text, bool (*is_escaped)(std::uint32_t)) {
  std::string out;
  std::size_t copied = 0;
  std::size_t size = 1;
  for (std::size_t at = 0; at < text.size(); at += size) {
    const std::uint32_t code = code_at(text, at, size);
    if (size == 4 || !is_escaped(code)) continue;
    std::array<char, 7> escape{};
    std::snprintf(escape.data(), escape.size(), "\\u%04x", code);
    out.append(text, copied, at - copied).append(escape.data());
    copied = at + size;
  }
  if (copied == 0) return text;
  return out.append(text, copied);
}

bool is_bare_word(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c <= '~' && c != '"' && c != '\\' && c != '=';
  });
}

}  // namespace

std::string without_controls(std::string json_text) {
  return escaped(std::move(json_text), is_control);
}

std::string for_terminal(std::string text) {
  return escaped(std::move(text), is_executed_in_lines);
}

std::string printable(const std::string& text) {
  if (is_bare_word(text)) return text;
  const Json value(text);
  return without_controls(dump(value));
}

}  // namespace verbatim
