// One message between two peers, as it is carried through the relay. Pure value.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "session/protocol/message_memory.hpp"

namespace verbatim::session {

/// What a message is, for counting.
enum class MessageKind : std::uint8_t { audio = 0, text = 1, other = 2 };

/// One WebSocket message, moved from hop to hop, never copied.
struct Message {
  std::string bytes;
  std::int64_t received_us = 0;  ///< monotonic microseconds when it was read; 0: made here
  MessageKind kind = MessageKind::other;
  bool binary = false;  ///< no text: it came in a binary frame, and leaves in one
  std::shared_ptr<MessageMemory> memory = nullptr;  ///< of a large one
};

/// Shared, because what is being written to one connection may be wanted on the next.
using MessagePtr = std::shared_ptr<const Message>;

}  // namespace verbatim::session
