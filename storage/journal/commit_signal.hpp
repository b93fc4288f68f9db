// Wakes one thread that polls descriptors, when a commit is durable. Costs the writer one atomic
// read a commit while no thread waits.
//
// One thread arms it and polls fd(); another notifies.
#pragma once

#include <atomic>

#include "base/event_fd.hpp"

namespace verbatim::journal {

/// Its constructor throws std::system_error if no descriptor is free.
class CommitSignal {
 public:
  /// Readable from the first notify() after the last arm() on.
  int fd() const { return event_.fd(); }
  void arm();
  void notify();

 private:
  EventFd event_;
  std::atomic<bool> armed_{false};
};

}  // namespace verbatim::journal
