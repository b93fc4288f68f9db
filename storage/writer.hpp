// What the journal's one thread does: takes all that is queued, writes it in one transaction,
// syncs, tells, repeats; prunes and checkpoints when there is nothing to write.
//
// run() is the thread; durable() and take_stats() from any thread. After an I/O error it touches
// the file no more, not even to close it.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "storage/commit_queue.hpp"
#include "storage/database.hpp"

namespace verbatim::storage {

class Writer {
 public:
  Writer(const JournalOptions& options, Database& database, CommitQueue& queue,
         JournalListener& listener);

  /// Until the queue is stopped and empty, or the journal has failed.
  void run();

  session::Sequence durable() const { return durable_.load(std::memory_order_acquire); }
  JournalStats take_stats();

 private:
  using Outcomes = std::vector<std::optional<StorageError>>;

  std::span<Job> next_batch();
  void commit(std::span<Job> batch);
  void write(std::span<Job> batch);
  void publish(std::span<Job> batch);
  void count(std::span<Job> batch, std::size_t bytes);

  void perform(Job& job, AppendEvent& append, std::optional<StorageError>&);
  void perform(Job& job, SettleTurn& settle, std::optional<StorageError>&);
  void perform(Job& job, CloseAttempt& close, std::optional<StorageError>&);
  void perform(Job& job, OpenAttempt& open, std::optional<StorageError>& outcome);
  void perform(Job& job, Change& change, std::optional<StorageError>& outcome);
  template <class Work>
  void undoable(std::optional<StorageError>& outcome, const Work& work);

  void tend();
  std::chrono::milliseconds patience() const;
  bool prune_some();
  void checkpoint_if_large();
  void close_in_order();
  void fail(const StorageError& error);

  const JournalOptions& options_;
  Database& database_;
  CommitQueue& queue_;
  JournalListener& listener_;

  std::vector<Job> jobs_;
  std::size_t next_ = 0;  ///< in jobs_: what is before it is done with
  Outcomes outcomes_;

  std::map<session::AttemptId, session::Sequence> live_;  ///< and where their rows begin
  session::Sequence low_water_ = 0;                       ///< rows before it are not needed
  session::Sequence pruned_to_ = 0;
  std::size_t checkpoint_at_;
  bool log_has_news_ = false;  ///< commits since the last checkpoint

  std::atomic<session::Sequence> durable_;
  std::mutex stats_mutex_;
  JournalStats stats_;
};

}  // namespace verbatim::storage
