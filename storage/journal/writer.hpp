// The journal's one thread: it takes everything queued, writes one transaction, syncs, reports, and
// repeats. Commits are paced (JournalOptions::commit_interval_ms). When nothing is queued it prunes
// rows. The Checkpointer does the checkpoints.
//
// While the disk is full or locked, the writer holds its jobs and tries again. After an I/O error
// it never touches the file again, not even to close it, and continues in the fallback directory or
// fails.
//
// run() is the thread. One other thread may call check(). Any thread may call take_stats() and
// const functions.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "storage/journal/checkpointer.hpp"
#include "storage/journal/commit_queue.hpp"
#include "storage/journal/commit_stats.hpp"
#include "storage/journal/file_watch.hpp"
#include "storage/journal/pruner.hpp"
#include "storage/journal/segment.hpp"
#include "storage/sqlite/database.hpp"

namespace verbatim::journal {

class Writer {
 public:
  Writer(const JournalOptions& options, sqlite::Database& database, CommitQueue& queue,
         Checkpointer& checkpointer, store::JournalListener& listener);

  /// Returns when the queue is stopped and empty, or when the journal has failed.
  void run();

  transcript::Sequence durable() const { return durable_.load(std::memory_order_acquire); }
  transcript::Sequence durable_in_database() const {
    return in_database_.load(std::memory_order_acquire);
  }
  /// On the writer's thread, for example in a change's `done`.
  void note_shipped(transcript::Sequence upto) { pruner_.note_shipped(upto, Pruner::Clock::now()); }
  store::JournalState state() const;
  /// Called for each message: reads no clock, takes no lock.
  bool failed() const {
    return queue_.broken() ||
           state_.load(std::memory_order_acquire) == store::JournalState::unavailable;
  }
  void check(std::chrono::steady_clock::time_point now);
  bool stuck() const { return stuck_.load(std::memory_order_acquire); }
  std::size_t log_bytes() const { return log_bytes_.load(std::memory_order_relaxed); }
  store::JournalStats take_stats() { return stats_.take(); }

 private:
  static constexpr std::chrono::steady_clock::time_point idle{};
  using Outcomes = std::vector<std::optional<store::StorageError>>;

  std::span<Job> next_batch();
  void commit_next();
  void write(std::span<Job> batch);
  void publish(std::span<Job> batch);
  void reached_database();

  void perform(Job& job, AppendEvent& append, std::optional<store::StorageError>&);
  void perform(Job& job, SettleTurn& settle, std::optional<store::StorageError>&);
  void perform(Job& job, CloseAttempt& close, std::optional<store::StorageError>&);
  void perform(Job& job, OpenAttempt& open, std::optional<store::StorageError>& outcome);
  void perform(Job& job, Change& change, std::optional<store::StorageError>& outcome);
  void perform(Job& job, MarkAttempt& mark, std::optional<store::StorageError>&);
  void perform(Job& job, SuspendAttempt& suspend, std::optional<store::StorageError>&);
  void perform(Job& job, Answered& answered, std::optional<store::StorageError>&);
  template <class Work>
  void undoable(std::optional<store::StorageError>& outcome, const Work& work);

  void retry_or_degrade(const store::StorageError& error);
  void enter(store::JournalState state, const store::StorageError& why);
  void recover();
  void rotate(const store::StorageError& why);
  void return_if_possible();
  void refuse_requests(const store::StorageError& why);
  void give_up_database();
  void fail(const store::StorageError& error);

  void idle_work();
  void scrub();
  void scrub_if_due();
  std::chrono::milliseconds patience() const;
  void run_maintenance(const std::function<void()>& work);
  void check_checkpoints() const;
  void check_files() const;
  void checkpoint_if_large();
  void close_in_order();
  bool on_segment() const { return segment_ != nullptr; }
  sqlite::Database& current() { return segment_ ? *segment_ : database_; }
  const sqlite::Database& current() const { return segment_ ? *segment_ : database_; }

  const JournalOptions& options_;
  sqlite::Database& database_;
  std::unique_ptr<sqlite::Database>
      segment_;      ///< in the fallback directory; if set, written instead
  FileWatch files_;  ///< being written
  CommitQueue& queue_;
  Checkpointer& checkpointer_;  ///< of the database, not of the segment
  store::JournalListener& listener_;

  std::vector<Job> jobs_;
  std::size_t next_ = 0;  ///< in jobs_: all before it are done
  Outcomes outcomes_;
  std::chrono::steady_clock::time_point next_commit_at_ = {};  ///< paced; urgent jobs come before

  LiveAttempts live_;
  Pruner pruner_;                                         ///< of the database, not of the segment
  std::chrono::steady_clock::time_point scrub_due_ = {};  ///< `idle`: nothing to scrub
  std::size_t checkpoint_at_;

  std::atomic<store::JournalState> state_{store::JournalState::working};
  std::chrono::steady_clock::time_point trouble_since_ = {};
  std::chrono::milliseconds next_try_in_{0};
  bool poisoned_ = false;  ///< true if the database is abandoned while the segment is written
  std::chrono::steady_clock::time_point next_return_ = {};

  sqlite::IoSince io_since_{idle};
  std::atomic<bool> stuck_{false};
  std::atomic<std::size_t> log_bytes_{0};
  std::atomic<transcript::Sequence> durable_;
  std::atomic<transcript::Sequence> in_database_;
  CommitStats stats_;
};

}  // namespace verbatim::journal
