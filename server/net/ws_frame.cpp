#include "server/net/ws_frame.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/simd.hpp"
#include "base/utf8.hpp"

namespace verbatim::net {
namespace {

constexpr std::uint8_t final_bit = 0x80;
constexpr std::uint8_t reserved_bits = 0x70;
constexpr std::uint8_t mask_bit = 0x80;
constexpr std::size_t control_bytes_max = 125;
/// Memory reserved for a payload whose length is announced but has not arrived.
constexpr std::uint64_t claimed_bytes_max = 16 * 1024;

bool is_control(Opcode opcode) { return static_cast<std::uint8_t>(opcode) >= 8; }

std::uint8_t at(const FrameHead& head, std::size_t index) {
  return static_cast<std::uint8_t>(head.bytes[index]);
}

/// Whether a peer may send this close code (RFC 6455, section 7.4, and IANA's registry).
bool may_be_sent(std::uint16_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

}  // namespace

VERBATIM_WIDE_CLONES void apply_mask(char* into, const char* from, std::size_t size,
                                     std::uint32_t key, std::size_t begin) {
  // The key's bytes in memory order, rotated to the payload's offset.
  std::uint64_t eight = 0;
  for (std::size_t i = 0; i < sizeof eight; ++i)
    eight |= std::uint64_t{key >> 8 * ((begin + i) % 4) & 255} << 8 * i;
  Wide pattern;
  for (std::size_t i = 0; i < sizeof pattern; i += sizeof eight)
    std::memcpy(reinterpret_cast<char*>(&pattern) + i, &eight, sizeof eight);
  const auto mask = [&](std::size_t at, const auto& with) {
    auto some = with;
    std::memcpy(&some, from + at, sizeof some);
    some ^= with;
    std::memcpy(into + at, &some, sizeof some);
  };
  std::size_t at = 0;
  for (; at + wide_block <= size; at += wide_block) {
    mask(at, pattern);
    mask(at + sizeof pattern, pattern);
  }
  for (; at + sizeof eight <= size; at += sizeof eight) mask(at, eight);
  for (; at < size; ++at)
    into[at] = static_cast<char>(static_cast<unsigned char>(from[at]) ^ (eight >> 8 * (at % 8)));
}

FrameHead frame_head(WsRole role, Opcode opcode, std::size_t payload_size, std::uint32_t key) {
  FrameHead head;
  const auto add = [&head](std::uint64_t byte) {
    head.bytes[head.size++] = static_cast<char>(byte & 255);
  };
  const unsigned masked = role == WsRole::client ? mask_bit : 0;
  add(final_bit | static_cast<unsigned>(opcode));
  if (payload_size < 126) {
    add(masked | payload_size);
  } else {
    const bool wide = payload_size > 0xFFFF;
    add(masked | (wide ? 127U : 126U));
    for (int shift = wide ? 56 : 8; shift >= 0; shift -= 8) add(payload_size >> shift);
  }
  if (masked) {
    for (int shift = 0; shift < 32; shift += 8) add(key >> shift);
  }
  return head;
}

FrameReader::Frame FrameReader::broken(std::uint16_t code) {
  Frame frame;
  frame.kind = Kind::broken;
  frame.code = code;
  return frame;
}

FrameReader::Frame FrameReader::take(std::string_view& input) {
  while (true) {
    if (!in_payload_) {
      if (!take_head(input)) return {};
      const std::uint16_t code = check_head();
      in_payload_ = true;
      payload_taken_ = 0;
      if (code == close_codes::too_big) return too_big();
      if (code != 0) return broken(code);
    }
    take_payload(input);
    if (payload_taken_ < payload_size_) return input.empty() ? Frame() : wants_memory();
    in_payload_ = false;
    head_.size = 0;
    head_needs_ = 2;
    if (is_control(opcode_)) return finished();
    if (!final_) continue;
    in_message_ = false;
    if (!skips()) return finished();
    skips_message_ = false;
  }
}

FrameReader::Frame FrameReader::wants_memory() const {
  Frame frame;
  frame.kind = Kind::wants_memory;
  const auto known = message_.size() + static_cast<std::size_t>(payload_size_ - payload_taken_);
  // The number of fragments that follow is unknown.
  const std::size_t next = std::min(message_.size() + granted_step, message_bytes_max_);
  frame.wanted = final_ ? std::min(known, next) : next;
  return frame;
}

void FrameReader::grant(std::size_t bytes) {
  granted_bytes_ = bytes;
  // Reserves address space for all of it: the kernel allocates pages as bytes arrive.
  const auto known = message_.size() + static_cast<std::size_t>(payload_size_ - payload_taken_);
  message_.reserve(final_ ? known : message_bytes_max_);
}

void FrameReader::skip_messages() {
  skips_all_ = true;
  std::string().swap(message_);
}

void FrameReader::skip_message() {
  skips_message_ = in_message_;
  std::string().swap(message_);
  granted_bytes_ = small_bytes_max_;
}

FrameReader::Frame FrameReader::too_big() {
  skip_message();
  Frame frame;
  frame.kind = Kind::too_big;
  return frame;
}

bool FrameReader::take_head(std::string_view& input) {
  while (true) {
    const std::size_t taken = std::min(head_needs_ - head_.size, input.size());
    input.copy(head_.bytes.data() + head_.size, taken);
    input.remove_prefix(taken);
    head_.size += taken;
    if (head_.size < head_needs_) return false;
    if (head_needs_ > 2) return true;
    const std::size_t length = at(head_, 1) & 127;
    head_needs_ += (length == 126 ? 2 : length == 127 ? 8 : 0) + (at(head_, 1) & mask_bit ? 4 : 0);
    if (head_needs_ == 2) return true;
  }
}

/// Returns the close code for a bad head, or 0 if the head is valid.
std::uint16_t FrameReader::check_head() {
  const std::uint8_t first = at(head_, 0);
  const std::uint8_t second = at(head_, 1);
  opcode_ = static_cast<Opcode>(first & 15);
  final_ = (first & final_bit) != 0;
  const std::size_t short_length = second & 127;
  const std::size_t length_bytes = short_length == 126 ? 2 : short_length == 127 ? 8 : 0;
  payload_size_ = length_bytes == 0 ? short_length : 0;
  for (std::size_t i = 0; i < length_bytes; ++i)
    payload_size_ = payload_size_ << 8 | at(head_, 2 + i);
  key_ = 0;
  const bool masked = (second & mask_bit) != 0;
  for (std::size_t i = 0; masked && i < 4; ++i)
    key_ |= static_cast<std::uint32_t>(at(head_, 2 + length_bytes + i)) << 8 * i;

  const bool shortest = length_bytes == 0   ? true
                        : length_bytes == 2 ? payload_size_ > 125
                                            : payload_size_ > 0xFFFF && payload_size_ >> 63 == 0;
  if ((first & reserved_bits) != 0 || masked != (peer_ == WsRole::client) || !shortest)
    return close_codes::protocol_error;
  switch (opcode_) {
    case Opcode::close:
    case Opcode::ping:
    case Opcode::pong:
      control_.clear();
      return final_ && payload_size_ <= control_bytes_max ? 0 : close_codes::protocol_error;
    case Opcode::text:
    case Opcode::binary:
      if (in_message_) return close_codes::protocol_error;
      in_message_ = true;
      message_opcode_ = opcode_;
      break;
    case Opcode::continuation:
      if (!in_message_) return close_codes::protocol_error;
      break;
    default:
      return close_codes::protocol_error;
  }
  if (skips()) return 0;
  if (payload_size_ > message_bytes_max_ - std::min(message_.size(), message_bytes_max_))
    return close_codes::too_big;
  message_.reserve(message_.size() + std::min(payload_size_, claimed_bytes_max));
  return 0;
}

void FrameReader::take_payload(std::string_view& input) {
  auto size = static_cast<std::size_t>(
      std::min<std::uint64_t>(payload_size_ - payload_taken_, input.size()));
  if (!is_control(opcode_) && !skips()) size = std::min(size, granted_bytes_ - message_.size());
  if (is_control(opcode_) || !skips()) {
    std::string& into = is_control(opcode_) ? control_ : message_;
    const std::size_t begin = into.size();
    into.append(input.substr(0, size));
    if (peer_ == WsRole::client)
      apply_mask(into.data() + begin, into.data() + begin, size, key_, payload_taken_ % 4);
  }
  input.remove_prefix(size);
  payload_taken_ += size;
}

FrameReader::Frame FrameReader::finished() {
  Frame frame;
  switch (opcode_) {
    case Opcode::ping:
    case Opcode::pong:
      frame.kind = opcode_ == Opcode::ping ? Kind::ping : Kind::pong;
      frame.bytes = std::exchange(control_, {});
      return frame;
    case Opcode::close:
      return close_frame();
    default:
      break;
  }
  frame.kind = message_opcode_ == Opcode::text ? Kind::text : Kind::binary;
  frame.bytes = std::exchange(message_, {});
  granted_bytes_ = small_bytes_max_;
  if (frame.kind == Kind::text && !utf8::is_valid(frame.bytes))
    return broken(close_codes::bad_payload);
  return frame;
}

FrameReader::Frame FrameReader::close_frame() {
  Frame frame;
  frame.kind = Kind::close;
  if (control_.empty()) return frame;
  if (control_.size() == 1) return broken(close_codes::protocol_error);
  frame.code = static_cast<std::uint16_t>(static_cast<unsigned char>(control_[0]) << 8 |
                                          static_cast<unsigned char>(control_[1]));
  frame.bytes = control_.substr(2);
  if (!may_be_sent(frame.code)) return broken(close_codes::protocol_error);
  if (!utf8::is_valid(frame.bytes)) return broken(close_codes::bad_payload);
  return frame;
}

}  // namespace verbatim::net
