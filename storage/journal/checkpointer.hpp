// Moves the write-ahead log into the database, beside the writer: one thread with a connection of
// its own, so that what people say waits for commits alone.
//
// It has work when a piece is there or when nothing more has come for a moment, and no timer when
// nothing is new: the commit after a log was moved to its end pays for that with a second sync. A
// log that never rests is never all moved, and only then can it be written from its beginning
// again: the little that is left is moved by the writer, between two commits, when it is large.
//
// Every checkpoint of the database goes through here and its one connection. An error that does not
// pass makes the file one that is not trusted: nothing is moved after it, and the writer finds it
// before its next commit and before it tells of one. An error in a checkpoint takes nothing from
// what commits have synced in the log.
//
// The owner joins the thread by destroying it, before the writer's connection is closed: closing
// what is not the last connection moves nothing. The last two functions are for any thread, the
// rest is the writer's.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "storage/journal/sqlite_journal.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/io_timer.hpp"

namespace verbatim::storage {

class CommitQueue;

class Checkpointer {
 public:
  /// The file is there, and the writer's connection has committed to it. `queue` is nudged when
  /// there is an error to be found.
  Checkpointer(const JournalOptions& options, CommitQueue& queue);
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  /// The log has grown to this.
  void news(std::size_t log_bytes);
  /// Throws what a checkpoint has failed of. Asked for at each commit: no lock.
  void check() const;

  /// On the caller's thread, between two of its commits: moves what is left, once the thread has
  /// moved all but that. False if that is not so yet: it has been asked for then.
  bool finish();
  /// On the caller's thread, after the one that is under way. As Database::checkpoint().
  bool empty_log(Database::Checkpoint mode);

  /// Nothing is moved, once this returns, but by empty_log(); until resume().
  void pause();
  void resume();
  /// For good: what is under way is broken off. Nothing is written any more once this returns.
  void halt();
  /// Whether its error makes that the file must not even be closed.
  bool poisoned() const;
  /// After halt(), as Database::abandon().
  void abandon() noexcept { connection_.abandon(); }

  bool failed() const { return failed_.load(std::memory_order_acquire); }
  std::chrono::steady_clock::time_point io_since() const {
    return io_since_.load(std::memory_order_relaxed);
  }

 private:
  void run();
  void batch(std::unique_lock<std::mutex>& lock);
  void move_log();
  bool more_has_come();
  bool checkpoint(Database::Checkpoint mode);
  template <class Work>
  void guard(const Work& work);
  bool set(bool& what);

  CommitQueue& queue_;
  const std::size_t piece_bytes_;

  /// Whose turn it is at the connection; also held until an error is known.
  std::mutex turn_;
  Database connection_;
  std::atomic<bool> failed_{false};
  std::optional<StorageError> failure_;  ///< written once, before failed_
  SinceWhen io_since_{};

  std::mutex mutex_;
  std::condition_variable wake_;
  bool news_ = false;  ///< commits since the last time that the log was looked at
  std::uint64_t commits_ = 0;
  std::size_t log_bytes_ = 0;
  std::size_t moved_bytes_ = 0;  ///< of them, seen before
  bool hurry_ = false;           ///< the writer wants to finish
  bool caught_up_ = false;       ///< with all that there was when it was in a hurry
  bool paused_ = false;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace verbatim::storage
