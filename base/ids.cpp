#include "base/ids.hpp"

#include <algorithm>

#include "base/crypto.hpp"

namespace verbatim {
namespace {

constexpr std::string_view crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// `digits` characters of five bits each, most significant first.
void append_base32(std::string& out, std::uint64_t value, int digits) {
  for (int shift = 5 * (digits - 1); shift >= 0; shift -= 5) out += crockford[value >> shift & 31];
}

std::uint64_t big_endian(const unsigned char* bytes, int count) {
  std::uint64_t value = 0;
  for (int i = 0; i < count; ++i) value = value << 8 | bytes[i];
  return value;
}

bool is_id_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.' || c == ':';
}

}  // namespace

std::string make_sortable_id(std::string_view prefix, std::int64_t now_ms,
                             const unsigned char (&random)[10]) {
  std::string id(prefix);
  id.reserve(prefix.size() + 26);
  append_base32(id, static_cast<std::uint64_t>(now_ms) & 0xFFFF'FFFF'FFFF, 10);
  append_base32(id, big_endian(random, 5), 8);
  append_base32(id, big_endian(random + 5, 5), 8);
  return id;
}

std::string new_sortable_id(std::string_view prefix, std::int64_t now_ms) {
  const std::string random = random_bytes(10);
  unsigned char raw[10];
  std::copy(random.begin(), random.end(), raw);
  return make_sortable_id(prefix, now_ms, raw);
}

bool is_valid_session_id(std::string_view id) {
  return !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), is_id_character);
}

}  // namespace verbatim
