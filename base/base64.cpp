#include "base/base64.hpp"

#include <array>
#include <cstdint>

namespace verbatim {

namespace {

struct Alphabet {
  std::string_view digits;
  std::array<std::uint8_t, 256> values;
};

constexpr std::uint8_t invalid = 0xff;

constexpr Alphabet alphabet_of(std::string_view digits) {
  Alphabet made{digits, {}};
  made.values.fill(invalid);
  for (std::size_t i = 0; i < digits.size(); ++i)
    made.values[static_cast<unsigned char>(digits[i])] = static_cast<std::uint8_t>(i);
  return made;
}
constexpr Alphabet standard =
    alphabet_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
constexpr Alphabet for_urls =
    alphabet_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

/// The number of digits for `bytes` bytes in the last group: 0 to 2.
constexpr std::size_t digits_of(std::size_t bytes) { return bytes == 0 ? 0 : bytes + 1; }

/// Writes the digits, without padding, to `to`.
template <const Alphabet& alphabet>
void encode(std::string_view bytes, char* to) {
  const auto* from = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t left = bytes.size();
  for (; left >= 3; left -= 3, from += 3) {
    const std::uint32_t group =
        std::uint32_t{from[0]} << 16U | std::uint32_t{from[1]} << 8U | std::uint32_t{from[2]};
    *to++ = alphabet.digits[group >> 18U];
    *to++ = alphabet.digits[group >> 12U & 63U];
    *to++ = alphabet.digits[group >> 6U & 63U];
    *to++ = alphabet.digits[group & 63U];
  }
  if (left == 0) return;
  const std::uint32_t group =
      std::uint32_t{from[0]} << 16U | (left == 2 ? std::uint32_t{from[1]} << 8U : 0U);
  *to++ = alphabet.digits[group >> 18U];
  *to++ = alphabet.digits[group >> 12U & 63U];
  if (left == 2) *to = alphabet.digits[group >> 6U & 63U];
}

/// Decodes digits without padding and appends the bytes. Returns false at a character that is not a
/// digit; `out` then holds the bytes before its group. `spare`: the bits of the last digit that
/// belong to no byte.
template <const Alphabet& alphabet>
bool decode(std::string_view digits, std::string& out, std::uint32_t& spare) {
  const auto value = [](char c) {
    return std::uint32_t{alphabet.values[static_cast<unsigned char>(c)]};
  };
  const std::size_t begin = out.size();
  out.resize(begin + digits.size() / 4 * 3 + 2);
  char* to = out.data() + begin;
  const char* from = digits.data();
  const std::size_t rest = digits.size() % 4;
  const char* const end = from + digits.size() - rest;
  for (; from != end; from += 4) {
    const std::uint32_t a = value(from[0]);
    const std::uint32_t b = value(from[1]);
    const std::uint32_t c = value(from[2]);
    const std::uint32_t d = value(from[3]);
    if ((a | b | c | d) > 63) break;
    *to++ = static_cast<char>(a << 2U | b >> 4U);
    *to++ = static_cast<char>(b << 4U | c >> 2U);
    *to++ = static_cast<char>(c << 6U | d);
  }
  bool good = from == end && rest != 1;
  spare = 0;
  if (good && rest > 1) {
    const std::uint32_t a = value(from[0]);
    const std::uint32_t b = value(from[1]);
    const std::uint32_t c = rest == 3 ? value(from[2]) : 0;
    good = (a | b | c) <= 63;
    if (good) {
      *to++ = static_cast<char>(a << 2U | b >> 4U);
      if (rest == 3) *to++ = static_cast<char>(b << 4U | c >> 2U);
      spare = rest == 3 ? c & 3U : b & 15U;
    }
  }
  out.resize(static_cast<std::size_t>(to - out.data()));
  return good;
}

}  // namespace

void encode_base64(std::string_view bytes, std::string& out) {
  const std::size_t begin = out.size();
  out.resize(begin + (bytes.size() + 2) / 3 * 4, '=');
  encode<standard>(bytes, out.data() + begin);
}

std::string base64(std::string_view bytes) {
  std::string out;
  encode_base64(bytes, out);
  return out;
}

bool decode_base64(std::string_view text, std::string& out) {
  if (text.size() % 4 != 0) return false;
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  std::uint32_t spare = 0;
  return decode<standard>(text, out, spare);
}

std::string base64url(std::string_view bytes) {
  std::string out(bytes.size() / 3 * 4 + digits_of(bytes.size() % 3), '\0');
  encode<for_urls>(bytes, out.data());
  return out;
}

std::optional<std::string> from_base64url(std::string_view text) {
  std::string out;
  std::uint32_t spare = 0;
  if (!decode<for_urls>(text, out, spare) || spare != 0) return std::nullopt;
  return out;
}

}  // namespace verbatim
