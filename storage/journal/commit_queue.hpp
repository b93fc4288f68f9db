// The queue from any thread to the one writer: bounded in bytes, numbered in the order of arrival,
// with one wake-up for a whole batch. It also paces the writer: jobs wait for the next commit until
// its time has come, unless one of them is urgent.
//
// Any thread may call submit(), which never waits; only the writer calls take(). A job's bytes
// count until done_with(). So the bound also covers jobs that are being written, or held while the
// disk fails.
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

namespace verbatim::journal {

struct AppendEvent {
  transcript::AttemptId attempt;
  TimeMs at;
  std::string body;
  std::unique_ptr<transcript::AudioPlaced> audio = nullptr;  ///< of such an event: gets a row too
};
struct SettleTurn {
  transcript::AttemptId attempt;
  std::unique_ptr<transcript::Turn> turn;
};
struct CloseAttempt {
  transcript::AttemptId attempt;
  std::unique_ptr<transcript::Ending> ending;
};
struct MarkAttempt {
  transcript::AttemptId attempt;
  transcript::SessionStatus status;
};
struct SuspendAttempt {
  transcript::AttemptId attempt;
  std::unique_ptr<transcript::Handover> handover;
};
struct OpenAttempt {
  std::unique_ptr<store::AttemptSpec> spec;
  std::function<void(store::OpenedAttempt, const store::StorageError*)> done;
  store::OpenedAttempt opened = {};
};
struct Change {
  std::function<void(sqlite::Database&)> work;
  std::function<void(const store::StorageError*)> done;
  bool opens = false;  ///< it may have made attempts that go on
};

/// A request that was already answered with an error: there is nothing left to do.
struct Answered {};

struct Job {
  std::variant<AppendEvent, SettleTurn, CloseAttempt, MarkAttempt, SuspendAttempt, OpenAttempt,
               Change, Answered>
      what;
  std::size_t bytes = 0;
  transcript::Sequence sequence = 0;  ///< the last of its numbers
  transcript::Sequence numbers = 1;   ///< how many it needs
  bool urgent = false;                ///< of any kind: must not wait for a paced commit
  std::chrono::steady_clock::time_point submitted = {};
};

class CommitQueue {
 public:
  using Clock = std::chrono::steady_clock;

  explicit CommitQueue(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// Refuses everything with this error, until begin_after().
  void hold(const store::StorageError& why);
  /// Accepts jobs and numbers them from `last_used` + 1.
  void begin_after(transcript::Sequence last_used);

  /// A job of more bytes is large.
  static constexpr std::size_t large_bytes = 64 * 1024;

  /// Returns the job's sequence number. Returns 0 and leaves `job` unchanged if the bound is
  /// reached, if the queue is stopped or broken, or if requests are refused and this is one.
  /// The bound does not apply to the end of an attempt, nor to large jobs: a caller checks
  /// crowded() before it submits one. So there are at most as many of them as threads, and they
  /// take no room from small jobs.
  transcript::Sequence submit(Job&& job);
  /// Why submit() returned 0: queue_full, the reason that requests are refused, or the failure that
  /// broke the queue.
  store::StorageError refusal() const;
  /// True while more than half of the bound is used: callers should submit less. Takes no lock.
  bool crowded() const { return crowded_.load(std::memory_order_acquire); }
  std::size_t bytes() const;

  static constexpr std::chrono::milliseconds for_ever = std::chrono::milliseconds::max();
  /// Replaces `batch` by everything queued; waits at most that long for a job. After a nudge it may
  /// return with no job. False once the queue is stopped and empty.
  /// With a job it returns at `not_before` or later. It returns at once if a job is urgent (an end,
  /// an admission, a change that a caller waits for), after hurry(), while crowded, or once
  /// stopped.
  bool take(std::vector<Job>& batch, std::chrono::milliseconds wait_at_most,
            Clock::time_point not_before = Clock::time_point::min());
  /// Appends everything queued to `batch`, without waiting.
  void take_more(std::vector<Job>& batch);
  /// The writer has finished these jobs: their bytes no longer count.
  void done_with(std::span<const Job> jobs);

  /// Any thread: what is queued now must not wait for a paced commit.
  void hurry();

  /// Any thread: wakes the writer, even if nothing is queued.
  void nudge();
  /// Any thread: how often the writer has used the queue. The count grows as long as the writer's
  /// thread lives.
  std::uint64_t steps() const { return steps_.load(std::memory_order_relaxed); }

  /// Refuses further jobs; the writer finishes those that are queued.
  void stop();
  /// Refuses OpenAttempt and Change with this error until accept_requests(): their callers wait for
  /// an answer. Events and ends are still accepted.
  void refuse_requests(const store::StorageError& why);
  void accept_requests();
  /// Refuses everything with this error, for good. False if that was so already.
  bool break_off(const store::StorageError& why);
  /// Takes no lock: sessions call it for each message.
  bool broken() const { return is_broken_.load(std::memory_order_acquire); }

  /// On the writer's thread: waits, unless the queue is stopped. False if it is stopped.
  bool pause(std::chrono::milliseconds how_long);

 private:
  static bool is_request(const Job& job);
  static bool is_urgent(const Job& job);
  /// True, once, if the writer must not go on waiting for its next commit. Precondition: the lock.
  bool wakes_from_pacing();
  /// Waits until `not_before`, while no job is urgent. `lock` is held before and after.
  void pace(std::unique_lock<std::mutex>& lock, Clock::time_point not_before);
  void count_step() { steps_.fetch_add(1, std::memory_order_relaxed); }

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Job> jobs_;
  std::size_t bytes_ = 0;
  std::size_t large_ = 0;  ///< of bytes_, those of large jobs
  const std::size_t bytes_max_;
  transcript::Sequence last_ = 0;
  bool held_ = false;
  bool waiting_ = false;
  bool pacing_ = false;   ///< the writer waits for the time of its next commit
  bool hurried_ = false;  ///< a queued job does not wait for it
  bool nudged_ = false;
  bool stopped_ = false;
  std::unique_ptr<store::StorageError> broken_;
  std::unique_ptr<store::StorageError> no_requests_;
  std::atomic<bool> is_broken_{false};
  std::atomic<bool> crowded_{false};
  std::atomic<std::uint64_t> steps_{0};
};

}  // namespace verbatim::journal
