#include "base/base64.hpp"

#include <array>
#include <cstdint>

namespace verbatim {

namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t invalid = 0xff;

constexpr std::array<std::uint8_t, 256> make_values() {
  std::array<std::uint8_t, 256> values{};
  for (auto& value : values) value = invalid;
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
  return values;
}
constexpr auto values = make_values();

std::uint32_t value_of(char c) { return values[static_cast<unsigned char>(c)]; }

}  // namespace

void encode_base64(std::string_view bytes, std::string& out) {
  const std::size_t begin = out.size();
  out.resize(begin + (bytes.size() + 2) / 3 * 4, '=');
  char* to = out.data() + begin;
  const auto* from = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t left = bytes.size();
  for (; left >= 3; left -= 3, from += 3) {
    const std::uint32_t group =
        std::uint32_t{from[0]} << 16U | std::uint32_t{from[1]} << 8U | std::uint32_t{from[2]};
    *to++ = alphabet[group >> 18U];
    *to++ = alphabet[group >> 12U & 63U];
    *to++ = alphabet[group >> 6U & 63U];
    *to++ = alphabet[group & 63U];
  }
  if (left == 0) return;
  const std::uint32_t group =
      std::uint32_t{from[0]} << 16U | (left == 2 ? std::uint32_t{from[1]} << 8U : 0U);
  *to++ = alphabet[group >> 18U];
  *to++ = alphabet[group >> 12U & 63U];
  if (left == 2) *to = alphabet[group >> 6U & 63U];
}

bool decode_base64(std::string_view text, std::string& out) {
  if (text.size() % 4 != 0) return false;
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  const std::size_t begin = out.size();
  out.resize(begin + text.size() / 4 * 3);
  char* to = out.data() + begin;
  const char* from = text.data();
  const char* const end = from + text.size() - (padding > 0 ? 4 : 0);
  for (; from != end; from += 4) {
    const std::uint32_t a = value_of(from[0]);
    const std::uint32_t b = value_of(from[1]);
    const std::uint32_t c = value_of(from[2]);
    const std::uint32_t d = value_of(from[3]);
    if ((a | b | c | d) > 63) break;
    *to++ = static_cast<char>(a << 2U | b >> 4U);
    *to++ = static_cast<char>(b << 4U | c >> 2U);
    *to++ = static_cast<char>(c << 6U | d);
  }
  bool good = from == end;
  if (good && padding > 0) {
    const std::uint32_t a = value_of(from[0]);
    const std::uint32_t b = value_of(from[1]);
    const std::uint32_t c = padding == 1 ? value_of(from[2]) : 0;
    good = (a | b | c) <= 63;
    if (good) {
      *to++ = static_cast<char>(a << 2U | b >> 4U);
      if (padding == 1) *to++ = static_cast<char>(b << 4U | c >> 2U);
    }
  }
  out.resize(static_cast<std::size_t>(to - out.data()));
  return good;
}

}  // namespace verbatim
