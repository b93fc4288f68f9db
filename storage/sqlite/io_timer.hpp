// Records since when a thread has been in disk I/O, so that another thread can detect a stuck disk.
// Any thread may read it.
#pragma once

#include <atomic>
#include <chrono>

namespace verbatim::sqlite {

class Database;

/// The clock's epoch means: not in disk I/O.
using IoSince = std::atomic<std::chrono::steady_clock::time_point>;

class IoTimer {
 public:
  explicit IoTimer(IoSince& since) : since_(since) { begin(); }
  ~IoTimer() { end(); }

  void begin() { since_.store(std::chrono::steady_clock::now(), std::memory_order_relaxed); }
  void end() { since_.store({}, std::memory_order_relaxed); }
  IoTimer(const IoTimer&) = delete;
  IoTimer& operator=(const IoTimer&) = delete;

 private:
  IoSince& since_;
};

/// A time in which a watched thread does other work. Only the connection's statements count as disk
/// I/O; the work between them does not.
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

}  // namespace verbatim::sqlite
