#include "base/text.hpp"

#include <utility>

namespace verbatim {
namespace {

// A surrogate half in generalised UTF-8 is ED A0..AF xx (high) or ED B0..BF xx (low). Well-formed
// UTF-8 never has a byte above 9F after ED, so two bytes are enough to recognise it.
bool is_half(std::string_view at, unsigned char first, unsigned char last) {
  if (at.size() < 3 || static_cast<unsigned char>(at[0]) != 0xED) return false;
  const auto second = static_cast<unsigned char>(at[1]);
  return second >= first && second <= last;
}
bool is_high_half(std::string_view at) { return is_half(at, 0xA0, 0xAF); }
bool is_low_half(std::string_view at) { return is_half(at, 0xB0, 0xBF); }

unsigned bits(char byte, unsigned mask) { return static_cast<unsigned char>(byte) & mask; }

/// The ten bits that a half carries.
unsigned payload(std::string_view half) { return bits(half[1], 0x0F) << 6 | bits(half[2], 0x3F); }

void append_pair(std::string& out, unsigned high, unsigned low) {
  const unsigned code = 0x10000 + (high << 10 | low);
  out += static_cast<char>(0xF0 | code >> 18);
  out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
  out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
  out += static_cast<char>(0x80 | (code & 0x3F));
}

}  // namespace

Text Text::from_wtf8(std::string bytes) {
  Text text;
  text.bytes_ = std::move(bytes);
  return text;
}

void Text::append(const Text& more) {
  const std::string_view tail = more.bytes_;
  if (bytes_.size() >= 3 && is_low_half(tail)) {
    const auto last = std::string_view(bytes_).substr(bytes_.size() - 3);
    if (is_high_half(last)) {
      const unsigned high = payload(last);
      const unsigned low = payload(tail);
      std::string rest(tail.substr(3));  // `more` may be this object
      bytes_.resize(bytes_.size() - 3);
      append_pair(bytes_, high, low);
      bytes_ += rest;
      return;
    }
  }
  bytes_ += more.bytes_;
}

std::string Text::utf8() const {
  std::string out;
  out.reserve(bytes_.size());
  const std::string_view in = bytes_;
  std::size_t kept = 0;
  for (std::size_t at = in.find('\xED'); at != in.npos; at = in.find('\xED', at + 1)) {
    if (!is_half(in.substr(at), 0xA0, 0xBF)) continue;
    out.append(in, kept, at - kept).append("\xEF\xBF\xBD");
    kept = at + 3;
  }
  return out.append(in, kept);
}

}  // namespace verbatim
