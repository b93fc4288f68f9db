// Follows the frames of a WebSocket that a server sends, without reading their content, so that a
// frame of our own can be put between two of them.
//
// One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace verbatim::peers {

class FrameTracker {
 public:
  /// These bytes have passed.
  void take(std::string_view bytes);
  /// The next byte begins a frame.
  bool between_frames() const { return head_size_ == 0 && left_ == 0; }
  /// A close frame has passed: nothing may follow it.
  bool closed() const { return closed_; }

 private:
  static constexpr std::size_t head_bytes_max = 14;
  std::size_t head_wanted() const;
  void end_head();

  std::array<unsigned char, head_bytes_max> head_{};
  std::size_t head_size_ = 0;
  std::uint64_t left_ = 0;  ///< bytes of the frame behind its head
  bool closed_ = false;
};

}  // namespace verbatim::peers
