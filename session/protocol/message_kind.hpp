// Kinds of messages, and messages made from bytes. Pure; any thread.
#pragma once

#include <string>
#include <utility>

#include "base/json/view.hpp"
#include "base/utf8.hpp"
#include "session/protocol/message.hpp"

namespace verbatim::protocol {

inline MessageKind kind_of(Traffic traffic) {
  switch (traffic) {
    case Traffic::audio:
      return MessageKind::audio;
    case Traffic::transcript:
      return MessageKind::text;
    case Traffic::other:
      return MessageKind::other;
  }
  return MessageKind::other;
}

/// A provider message from a binary frame. JSON is passed on as text, as in the protocol, with
/// U+FFFD for bytes that are not UTF-8. Anything else stays binary and unchanged.
inline Message of_binary_frame(std::string bytes, std::int64_t received_us) {
  if (utf8::is_valid(bytes)) return {std::move(bytes), received_us};
  std::string text = utf8::replaced(bytes);
  if (!json::check(text)) return {std::move(text), received_us};
  return {std::move(bytes), received_us, MessageKind::other, true};
}

/// A message made by the relay.
inline Message own_message(std::string bytes) { return {std::move(bytes), 0, MessageKind::other}; }

}  // namespace verbatim::protocol
