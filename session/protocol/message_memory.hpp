// The memory of a large message, as the queues see it that hold the message: part of a bound that
// all sessions share (server/net/large_messages). A small message has none.
//
// Any thread; never blocks.
#pragma once

#include <cstddef>

namespace verbatim::session {

class MessageMemory {
 public:
  virtual ~MessageMemory() = default;
  /// The message has this many bytes now.
  virtual void resize(std::size_t bytes) = 0;
  /// The message stays only in case that it is wanted again. False: there is no room for such ones,
  /// and it must be dropped. May be called again.
  virtual bool keep() = 0;
  /// The message has left on its connection; what is still held of it was kept.
  virtual void sent() = 0;
};

}  // namespace verbatim::session
