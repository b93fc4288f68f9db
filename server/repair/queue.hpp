// Attempts that wait for a repair, each with the time at which it is due. A session can be held: it
// waits then.
//
// Any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "storage/store/repair_store.hpp"

namespace verbatim::repair {

class Queue {
 public:
  using Clock = std::chrono::steady_clock;

  struct Job {
    store::RepairableAttempt attempt;
    Clock::time_point due{};
    bool again = false;                      ///< an operator asked for it
    std::vector<std::string> left_out = {};  ///< items that cannot be sent
  };

  explicit Queue(std::size_t room) : room_(room) {}

  std::size_t size() const;
  bool has_room() const { return size() < room_; }
  /// Adds an attempt that was found, unless it waits already.
  void add(const store::RepairableAttempt& attempt);
  /// An operator asked for the attempt: it is due at once.
  void ask(const store::RepairableAttempt& attempt);
  /// A job that was taken waits until `due`, unless it was asked for meanwhile.
  void put_back(Job job, Clock::time_point due);

  /// The job that is due longest, of a session that is not held. It is in progress until finish().
  std::optional<Job> take(Clock::time_point now);
  void finish();
  /// Whether the job in progress has to stop.
  bool must_stop() const;
  /// When the next job is due; never: max().
  Clock::time_point next_due() const;
  /// Whether ask() was called since the last call of this.
  bool take_asked();
  /// Waits until the time, ask(), release() or stop().
  void wait_until(Clock::time_point time);
  bool stopping() const;
  void stop();

  /// The session's jobs wait until release(). `done`: none is in progress. If one is, `interrupt`
  /// is called, and must_stop() says so.
  void hold(const std::string& session_id, std::function<void()> done,
            const std::function<void()>& interrupt);
  void release(const std::string& session_id);

 private:
  bool is_held(const std::string& session_id) const { return held_.contains(session_id); }

  const std::size_t room_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<store::RepairableAttempt, Job> waiting_;
  std::unordered_map<std::string, int> held_;
  std::string in_progress_;  ///< a session; empty: none
  std::vector<std::function<void()>> when_finished_;
  bool news_ = false;
  bool asked_ = false;
  bool stopping_ = false;
};

}  // namespace verbatim::repair
