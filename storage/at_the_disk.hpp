// Says since when a thread has been waiting for the disk, to whoever looks whether it comes back.
#pragma once

#include <atomic>
#include <chrono>

namespace verbatim::storage {

/// The clock's epoch: it is not at the disk.
using SinceWhen = std::atomic<std::chrono::steady_clock::time_point>;

class AtTheDisk {
 public:
  explicit AtTheDisk(SinceWhen& since) : since_(since) {
    since_.store(std::chrono::steady_clock::now(), std::memory_order_relaxed);
  }
  ~AtTheDisk() { since_.store({}, std::memory_order_relaxed); }
  AtTheDisk(const AtTheDisk&) = delete;
  AtTheDisk& operator=(const AtTheDisk&) = delete;

 private:
  SinceWhen& since_;
};

}  // namespace verbatim::storage
