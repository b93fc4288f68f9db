// One message between two peers on its way through the relay. Pure value.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "session/protocol/message_memory.hpp"

namespace verbatim::protocol {

/// Kind of a message, for the metrics.
enum class MessageKind : std::uint8_t { audio = 0, text = 1, other = 2 };

/// How the relay must treat a message, decided by its type alone.
enum class Traffic : std::uint8_t { audio, transcript, other };

/// One WebSocket message. It is moved through the relay, never copied.
struct Message {
  std::string bytes;
  std::int64_t received_us = 0;  ///< monotonic microseconds when it was read; 0: made by the relay
  MessageKind kind = MessageKind::other;
  bool binary = false;  ///< not text: received and sent in a binary frame
  std::shared_ptr<MessageMemory> memory = nullptr;  ///< only for a large message
};

/// Shared: a message that is being written to one connection may be needed on the next.
using MessagePtr = std::shared_ptr<const Message>;

}  // namespace verbatim::protocol
