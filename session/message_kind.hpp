// What a message counts as, from what the protocol says of its type. Pure.
#pragma once

#include <string>
#include <utility>

#include "session/outbox.hpp"
#include "session/protocol.hpp"

namespace verbatim::session {

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

/// One that the relay made.
inline Message own_message(std::string bytes) { return {std::move(bytes), 0, MessageKind::other}; }

}  // namespace verbatim::session
