// The memory of a large message, as the queues that hold it see it. It is a share of a limit on all
// sessions together (server/net/large_messages). A small message has none.
//
// Any thread; never blocks.
#pragma once

#include <cstddef>

namespace verbatim::protocol {

class MessageMemory {
 public:
  virtual ~MessageMemory() = default;
  /// Reports the present size of the message.
  virtual void resize(std::size_t bytes) = 0;
  /// The message stays only for a possible resume. False: there is no room for such messages, and
  /// it must be dropped. May be called again.
  virtual bool keep() = 0;
  /// The message has been written to its connection; queues that still hold it retain it for a
  /// resume.
  virtual void sent() = 0;
};

}  // namespace verbatim::protocol
