// The hand-off from any thread to the one writer: bounded in bytes, numbered in the order of
// arrival, one wake-up for a whole batch.
//
// submit() from any thread, never waits; take() from the writer alone. Bytes count until the
// writer says that they are done with, so the bound covers what is being written, and what is
// held while the disk is in trouble, as well.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <variant>
#include <vector>

#include "storage/journal/sqlite_journal.hpp"

namespace verbatim::storage {

struct AppendEvent {
  session::AttemptId attempt;
  TimeMs at;
  std::string body;
};
struct SettleTurn {
  session::AttemptId attempt;
  std::unique_ptr<session::Turn> turn;
};
struct CloseAttempt {
  session::AttemptId attempt;
  std::unique_ptr<session::Ending> ending;
};
struct MarkAttempt {
  session::AttemptId attempt;
  session::SessionStatus status;
};
struct SuspendAttempt {
  session::AttemptId attempt;
  std::unique_ptr<session::Handover> handover;
};
struct OpenAttempt {
  std::unique_ptr<AttemptSpec> spec;
  std::function<void(OpenedAttempt, const StorageError*)> done;
  OpenedAttempt opened = {};
};
struct Change {
  std::function<void(Database&)> work;
  std::function<void(const StorageError*)> done;
};

/// A request that was answered with a failure: nothing is left to do.
struct Answered {};

struct Job {
  std::variant<AppendEvent, SettleTurn, CloseAttempt, MarkAttempt, SuspendAttempt, OpenAttempt,
               Change, Answered>
      what;
  std::size_t bytes = 0;
  session::Sequence sequence = 0;
  std::chrono::steady_clock::time_point submitted = {};
};

class CommitQueue {
 public:
  explicit CommitQueue(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// Takes nothing at all, for this reason, until begin_after().
  void hold(const StorageError& why);
  /// The number of the last job that was ever taken.
  void begin_after(session::Sequence last_used);

  /// A job beyond this is large.
  static constexpr std::size_t large_bytes = 64 * 1024;

  /// The job's sequence, or 0 with `job` untouched: beyond the bound, stopped or broken, or a
  /// request while those are refused. Endings are taken beyond the bound as well, and large jobs
  /// are not counted in it: whoever brings one has looked at crowded() right before, so that there
  /// are no more of them than threads, and they take no room from the small ones of others.
  session::Sequence submit(Job&& job);
  /// Why the last refusal of submit() would be: queue_full or the failure that broke it.
  StorageError refusal() const;
  /// Half of the bound is used: whoever can should stop bringing more. Without the lock.
  bool crowded() const { return crowded_.load(std::memory_order_acquire); }
  std::size_t bytes() const;

  static constexpr std::chrono::milliseconds for_ever = std::chrono::milliseconds::max();
  /// Replaces `batch` by all that is queued, after waiting for something for at most that long.
  /// Nothing comes also when the writer was nudged. False once stopped and empty.
  bool take(std::vector<Job>& batch, std::chrono::milliseconds wait_at_most);
  /// Adds what is queued to `batch`, without waiting.
  void take_more(std::vector<Job>& batch);
  /// The writer is done with these.
  void done_with(std::span<const Job> jobs);

  /// Any thread: the writer is to look around, also if nothing is queued.
  void nudge();

  /// No more submissions; the writer drains what is there.
  void stop();
  /// Somebody waits for the answer of an OpenAttempt or a Change: none are taken, for this reason,
  /// until accept_requests(). Events and endings still are.
  void refuse_requests(const StorageError& why);
  void accept_requests();
  /// No more submissions at all, for this reason. False if that was so already.
  bool break_off(const StorageError& why);
  /// Without the lock: sessions ask this on a message's path.
  bool broken() const { return is_broken_.load(std::memory_order_acquire); }

  /// Waits on the writer's thread for something that only time can bring. False if stopped.
  bool pause(std::chrono::milliseconds how_long);

 private:
  static bool is_request(const Job& job);

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Job> jobs_;
  std::size_t bytes_ = 0;
  std::size_t large_ = 0;  ///< of these, the bytes of large jobs
  const std::size_t bytes_max_;
  session::Sequence last_ = 0;
  bool held_ = false;
  bool waiting_ = false;
  bool nudged_ = false;
  bool stopped_ = false;
  std::unique_ptr<StorageError> broken_;
  std::unique_ptr<StorageError> no_requests_;
  std::atomic<bool> is_broken_{false};
  std::atomic<bool> crowded_{false};
};

}  // namespace verbatim::storage
