#include "base/utf8.hpp"

#include <simdjson.h>

#include <cstring>

#include "base/simd.hpp"

namespace verbatim::utf8 {
namespace {

constexpr std::uint64_t each(unsigned char byte) { return 0x0101'0101'0101'0101U * byte; }

/// Marks the bytes of eight that are below `limit` (at most 128), by a borrow into the top bit. A
/// byte with its own top bit set may be marked wrongly; callers check such bytes anyway.
constexpr std::uint64_t any_below(std::uint64_t eight, unsigned char limit) {
  return (eight - each(limit)) & ~eight & each(0x80);
}

bool is_unescaped(char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\'; }
bool is_plain(char c) { return is_unescaped(c) && static_cast<unsigned char>(c) < 0x80; }

/// Number of bytes at the front in whole blocks for which `mark` sets no byte's top bit.
template <class Mark>
[[gnu::always_inline]] inline std::size_t unmarked(std::string_view bytes, const Mark& mark) {
  std::size_t at = 0;
  for (; at + wide_block <= bytes.size(); at += wide_block) {
    Wide all{};
    for (std::size_t i = 0; i < wide_block; i += sizeof(Wide)) {
      Wide some;
      std::memcpy(&some, bytes.data() + at + i, sizeof some);
      mark(some);
      all |= some;
    }
    std::uint64_t eights[sizeof(Wide) / 8];
    std::memcpy(eights, &all, sizeof all);
    if (((eights[0] | eights[1] | eights[2] | eights[3]) & each(0x80)) != 0) break;
  }
  return at;
}

// A vector comparison sets all bits of a byte or none. Signed, a non-ASCII byte is less than every
// control character, so one comparison finds both.
VERBATIM_WIDE_CLONES std::size_t plain_blocks(std::string_view bytes) {
  return unmarked(bytes, [](Wide& some) {
    some = (Wide)(some < 0x20) | (Wide)(some == '"') | (Wide)(some == '\\');
  });
}

// As above, but a non-ASCII byte's own top bit clears the mark of the first comparison.
VERBATIM_WIDE_CLONES std::size_t unescaped_blocks(std::string_view bytes) {
  return unmarked(bytes, [](Wide& some) {
    some = ((Wide)(some < 0x20) & ~some) | (Wide)(some == '"') | (Wide)(some == '\\');
  });
}

/// Marks the bytes of eight that a JSON string must escape; see any_below().
constexpr std::uint64_t any_escaped(std::uint64_t eight) {
  return any_below(eight, 0x20) | any_below(eight ^ each('"'), 1) |
         any_below(eight ^ each('\\'), 1);
}

std::uint64_t eight_of(std::string_view bytes) {
  std::uint64_t eight;
  std::memcpy(&eight, bytes.data(), sizeof eight);
  return eight;
}

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

}  // namespace

std::size_t sequence_length(std::string_view bytes) {
  if (bytes.empty()) return 0;
  const auto first = static_cast<unsigned char>(bytes[0]);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || bytes.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if (!is_continuation(bytes[i])) return 0;
  const auto second = static_cast<unsigned char>(bytes[1]);
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool surrogate = first == 0xED && second > 0x9F;
  const bool too_large = first == 0xF4 && second > 0x8F;
  return overlong || surrogate || too_large ? 0 : length;
}

std::size_t plain_prefix(std::string_view bytes) {
  std::size_t at = plain_blocks(bytes);
  for (; at + 8 <= bytes.size(); at += 8) {
    const std::uint64_t eight = eight_of(bytes.substr(at));
    if (((eight & each(0x80)) | any_escaped(eight)) != 0) break;
  }
  while (at < bytes.size() && is_plain(bytes[at])) ++at;
  return at;
}

std::size_t unescaped_prefix(std::string_view bytes) {
  std::size_t at = unescaped_blocks(bytes);
  while (at + 8 <= bytes.size() && any_escaped(eight_of(bytes.substr(at))) == 0) at += 8;
  while (at < bytes.size() && is_unescaped(bytes[at])) ++at;
  return at;
}

std::string replaced(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t length = sequence_length(bytes);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      bytes.remove_prefix(1);
    } else {
      out.append(bytes, 0, length);
      bytes.remove_prefix(length);
    }
  }
  return out;
}

bool is_valid(std::string_view bytes) {
  return simdjson::validate_utf8(bytes.data(), bytes.size());
}

bool is_wtf8(std::string_view bytes) {
  if (is_valid(bytes)) return true;
  while (!bytes.empty()) {
    std::size_t length = sequence_length(bytes);
    if (length == 0) {
      const bool half = bytes.size() >= 3 && bytes[0] == '\xED' && (bytes[1] & 0xE0) == 0xA0 &&
                        is_continuation(bytes[2]);
      if (!half) return false;
      length = 3;
    }
    bytes.remove_prefix(length);
  }
  return true;
}

void append(std::string& out, std::uint32_t code) {
  const auto byte = [&out](std::uint32_t value) { out += static_cast<char>(value); };
  const auto continuation = [&byte, code](int shift) { byte(0x80 | (code >> shift & 0x3F)); };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xC0 | code >> 6);
    continuation(0);
  } else if (code < 0x10000) {
    byte(0xE0 | code >> 12);
    continuation(6);
    continuation(0);
  } else {
    byte(0xF0 | code >> 18);
    continuation(12);
    continuation(6);
    continuation(0);
  }
}

}  // namespace verbatim::utf8
