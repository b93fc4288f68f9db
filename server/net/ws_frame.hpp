// WebSocket frames (RFC 6455, section 5): decodes one end's frames, and encodes frame heads. No
// extensions.
//
// Pure: bytes in, messages out. One thread. A protocol error is a kind of frame with the close code
// to send.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace verbatim::net {

/// The end of the connection: a client masks what it sends, a server does not.
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
inline constexpr std::uint16_t internal = 1011;
inline constexpr std::uint16_t restart = 1012;
inline constexpr std::uint16_t overloaded = 1013;
inline constexpr std::uint16_t unauthorised = 3000;
}  // namespace close_codes

/// XORs `size` bytes with `key`, beginning with byte `at % 4` of the key. `into` may equal `from`.
void apply_mask(char* into, const char* from, std::size_t size, std::uint32_t key, std::size_t at);

/// The head of an encoded frame: at most 14 bytes.
struct FrameHead {
  static constexpr std::size_t bytes_max = 14;
  std::array<char, bytes_max> bytes;
  std::size_t size = 0;
};
/// Head of an unfragmented message or of a control frame. A client masks with `key`, which must be
/// a new one for each frame.
FrameHead frame_head(WsRole role, Opcode opcode, std::size_t payload_size, std::uint32_t key);

class FrameReader {
 public:
  /// `peer`: the end that sends the bytes.
  /// `message_bytes_max`: a larger message is skipped and reported as too_big.
  /// `small_bytes_max`: a larger message asks for memory (wants_memory).
  FrameReader(WsRole peer, std::size_t message_bytes_max,
              std::size_t small_bytes_max = std::numeric_limits<std::size_t>::max())
      : peer_(peer),
        message_bytes_max_(message_bytes_max),
        small_bytes_max_(small_bytes_max),
        granted_bytes_(small_bytes_max) {}

  /// Bytes of memory that a message asks for at a time.
  static constexpr std::size_t granted_step = 1024 * 1024;

  enum class Kind {
    nothing,  ///< the input is used up: more bytes are needed
    text,     ///< a message, valid UTF-8
    binary,
    ping,
    pong,
    close,         ///< `code` is 0 if the frame had none
    broken,        ///< protocol error: close with `code`; nothing more may be read
    wants_memory,  ///< call grant() to go on; `wanted` is the message's size then
    too_big  ///< a message begins that is over the limit; it is skipped, later messages can be read
  };
  struct Frame {
    Kind kind = Kind::nothing;
    std::string bytes;  ///< a message, a control frame's payload, or a close frame's reason
    std::uint16_t code = 0;
    std::size_t wanted = 0;
  };
  /// Takes bytes from the front of `input` until a message or a control frame is complete. Keeps
  /// the part of an unfinished message here.
  Frame take(std::string_view& input);
  /// Allows the current message to grow to `bytes`. Memory is granted one MiB at a time, so that a
  /// message that only claims to be large, or stalls, holds little.
  void grant(std::size_t bytes);
  /// Skips the rest of the current message.
  void skip_message();
  /// Skips all messages from now on; control frames are still returned.
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
  std::size_t granted_bytes_;   ///< limit for the current message
  FrameHead head_;              ///< the part received so far
  std::size_t head_needs_ = 2;  ///< bytes needed to know more
  bool in_payload_ = false;
  Opcode opcode_ = Opcode::continuation;
  bool final_ = false;
  std::uint32_t key_ = 0;
  std::uint64_t payload_size_ = 0;
  std::uint64_t payload_taken_ = 0;
  bool in_message_ = false;
  bool skips_message_ = false;  ///< skip the current message
  bool skips_all_ = false;
  Opcode message_opcode_ = Opcode::text;
  std::string message_;
  std::string control_;
};

}  // namespace verbatim::net
