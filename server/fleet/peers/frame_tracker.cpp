#include "server/fleet/peers/frame_tracker.hpp"

#include <algorithm>

namespace verbatim::peers {

namespace {

constexpr unsigned char opcode_bits = 0x0F;
constexpr unsigned char close_opcode = 8;
constexpr unsigned char mask_bit = 0x80;
constexpr unsigned char length_bits = 0x7F;
constexpr unsigned char length_in_2_bytes = 126;
constexpr unsigned char length_in_8_bytes = 127;

std::size_t extended_bytes(unsigned char second) {
  const unsigned char length = second & length_bits;
  if (length == length_in_2_bytes) return 2;
  return length == length_in_8_bytes ? 8 : 0;
}

}  // namespace

/// Size of the head, as far as its first bytes show it (RFC 6455, section 5.2).
std::size_t FrameTracker::head_wanted() const {
  if (head_size_ < 2) return 2;
  const std::size_t mask = (head_[1] & mask_bit) != 0 ? 4 : 0;
  return 2 + extended_bytes(head_[1]) + mask;
}

void FrameTracker::end_head() {
  const std::size_t extended = extended_bytes(head_[1]);
  left_ = extended == 0 ? head_[1] & length_bits : 0;
  for (std::size_t i = 0; i < extended; ++i) left_ = left_ << 8 | head_[2 + i];
  closed_ = closed_ || (head_[0] & opcode_bits) == close_opcode;
  head_size_ = 0;
}

void FrameTracker::take(std::string_view bytes) {
  while (!bytes.empty()) {
    if (head_size_ == 0 && left_ > 0) {
      const auto part = std::min<std::uint64_t>(left_, bytes.size());
      left_ -= part;
      bytes.remove_prefix(static_cast<std::size_t>(part));
      continue;
    }
    head_[head_size_++] = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    if (head_size_ >= 2 && head_size_ == head_wanted()) end_head();
  }
}

}  // namespace verbatim::peers
