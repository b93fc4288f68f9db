// WebSocket frames (RFC 6455, section 5): one end's, taken apart and made. Without extensions.
//
// Pure: bytes in, messages out. One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace verbatim::server {

/// Which end of the connection we are: a client masks what it sends, a server does not.
enum class WsRole { client, server };

enum class Opcode : std::uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10
};

namespace close_codes {
inline constexpr std::uint16_t protocol_error = 1002;
inline constexpr std::uint16_t bad_payload = 1007;
inline constexpr std::uint16_t policy = 1008;
inline constexpr std::uint16_t too_big = 1009;
inline constexpr std::uint16_t unauthorised = 3000;
}  // namespace close_codes

/// XORs with the key, from the key's byte `at % 4` on. `into` may be `from`.
void apply_mask(char* into, const char* from, std::size_t size, std::uint32_t key, std::size_t at);

/// A frame's head; at most 14 bytes.
struct FrameHead {
  static constexpr std::size_t bytes_max = 14;
  std::array<char, bytes_max> bytes;
  std::size_t size = 0;
};
/// Of a whole message or a control frame. `key` is what a client masks with, a fresh one each time.
FrameHead frame_head(WsRole role, Opcode opcode, std::size_t payload_size, std::uint32_t key);

class FrameReader {
 public:
  /// `peer` is the end that the bytes come from.
  /// Beyond `small_bytes_max` a message asks for memory.
  FrameReader(WsRole peer, std::size_t message_bytes_max,
              std::size_t small_bytes_max = std::numeric_limits<std::size_t>::max())
      : peer_(peer),
        message_bytes_max_(message_bytes_max),
        small_bytes_max_(small_bytes_max),
        granted_bytes_(small_bytes_max) {}

  /// What a message asks for at a time.
  static constexpr std::size_t granted_step = 1024 * 1024;

  enum class Kind {
    nothing,  ///< all of it is used up: more is needed
    text,     ///< a message, valid UTF-8
    binary,
    ping,
    pong,
    close,         ///< `code` is 0 if it gave none
    broken,        ///< the protocol: `code` is what to close with. Nothing may be read any more
    wants_memory,  ///< nothing more is taken before grant(); `wanted` is how much of it
    too_big  ///< a message beyond the limit begins. It is skipped; what follows it can be read
  };
  struct Frame {
    Kind kind = Kind::nothing;
    std::string bytes;  ///< a message, a control frame's payload, a close frame's reason
    std::uint16_t code = 0;
    std::size_t wanted = 0;
  };
  /// Takes from the front of `input` until a message or a control frame is whole. What is taken of
  /// an unfinished one is kept here.
  Frame take(std::string_view& input);
  /// The message may have so many bytes. Asked for a MiB at a time, so that one that is only
  /// claimed to be large, or stands still, holds little.
  void grant(std::size_t bytes);
  /// What is left of the message that is being taken is skipped.
  void skip_message();
  /// From now on messages are skipped, and only control frames are given out.
  void skip_messages();

 private:
  bool take_head(std::string_view& input);
  std::uint16_t check_head();
  bool skips() const { return skips_message_ || skips_all_; }
  void take_payload(std::string_view& input);
  Frame finished();
  Frame close_frame();
  static Frame broken(std::uint16_t code);
  Frame too_big();
  Frame wants_memory() const;

  WsRole peer_;
  std::size_t message_bytes_max_;
  std::size_t small_bytes_max_;
  std::size_t granted_bytes_;   ///< of the message that is being taken
  FrameHead head_;              ///< as far as it has come
  std::size_t head_needs_ = 2;  ///< bytes
  bool in_payload_ = false;
  Opcode opcode_ = Opcode::continuation;
  bool final_ = false;
  std::uint32_t key_ = 0;
  std::uint64_t payload_size_ = 0;
  std::uint64_t payload_taken_ = 0;
  bool in_message_ = false;
  bool skips_message_ = false;  ///< the one that is being taken
  bool skips_all_ = false;
  Opcode message_opcode_ = Opcode::text;
  std::string message_;
  std::string control_;
};

}  // namespace verbatim::server
