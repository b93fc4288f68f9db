// Says since when a thread has been waiting for the disk, to whoever looks whether it comes back.
#pragma once

#include <atomic>
#include <chrono>

namespace verbatim::storage {

class Database;

/// The clock's epoch: it is not at the disk.
using SinceWhen = std::atomic<std::chrono::steady_clock::time_point>;

class IoTimer {
 public:
  explicit IoTimer(SinceWhen& since) : since_(since) { begin(); }
  ~IoTimer() { end(); }

  void begin() { since_.store(std::chrono::steady_clock::now(), std::memory_order_relaxed); }
  void end() { since_.store({}, std::memory_order_relaxed); }
  IoTimer(const IoTimer&) = delete;
  IoTimer& operator=(const IoTimer&) = delete;

 private:
  SinceWhen& since_;
};

/// A stretch in which a thread that is watched does other work. Each of the connection's statements
/// counts, what is done between them does not.
class OffTheDisk {
 public:
  OffTheDisk(IoTimer& watched, Database& database);
  ~OffTheDisk();
  OffTheDisk(const OffTheDisk&) = delete;
  OffTheDisk& operator=(const OffTheDisk&) = delete;

 private:
  IoTimer& watched_;
  Database& database_;
};

}  // namespace verbatim::storage
