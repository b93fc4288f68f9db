// Runs checkpoints: moves pages from the WAL into the database, beside the writer. It has one
// thread and a connection of its own, so that sessions wait only for commits.
//
// The thread moves pages when enough of them are new, or when no commit has come for a moment. It
// has no timer while nothing is new: after the whole WAL was moved, the next commit restarts it and
// pays a second sync. SQLite can restart the WAL only when every page is moved, which the thread
// cannot reach while commits keep coming. When the WAL is large, the writer therefore moves the
// last few pages between two commits.
//
// Every checkpoint of the database uses this connection. After a permanent error the file is
// not trusted, and nothing more is moved. The writer finds the error before its next commit and
// before it reports rows as durable. A checkpoint error does not touch what commits have synced in
// the WAL.
//
// The destructor joins the thread. Destroy it before the writer's connection closes: closing a
// connection that is not the last one moves nothing. Any thread may call failed() and io_since();
// only the writer calls the rest.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "storage/journal/sqlite_journal.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/io_timer.hpp"

namespace verbatim::journal {

class CommitQueue;

class Checkpointer {
 public:
  /// The file must exist, and the writer's connection must have committed to it. After an error it
  /// calls `queue.nudge()`, so that the writer checks for the error. Throws StorageError.
  Checkpointer(const JournalOptions& options, CommitQueue& queue);
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  /// Call it after each commit, with the size of the WAL in bytes.
  void news(std::size_t log_bytes);
  /// Throws the error of a failed checkpoint. Called for each commit: takes no lock.
  void check() const;

  /// On the writer's thread, between two commits: moves the last pages, once the thread has moved
  /// the others. Otherwise asks the thread to do so and returns false.
  bool finish();
  /// On the writer's thread, after a checkpoint that is running. Same result as
  /// Database::checkpoint().
  bool empty_log(sqlite::Database::Checkpoint mode);

  /// After pause() returns, only empty_log() moves pages, until resume().
  void pause();
  void resume();
  /// Final: interrupts a running checkpoint. After it returns, nothing more is written.
  void halt();
  /// True if its error means that the file must not even be closed.
  bool poisoned() const;
  /// After halt(): as Database::abandon().
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
  bool checkpoint(sqlite::Database::Checkpoint mode);
  template <class Work>
  void guard(const Work& work);
  bool set(bool& what);

  CommitQueue& queue_;
  const std::size_t piece_bytes_;

  /// Held while the connection is used, and until its error is recorded.
  std::mutex turn_;
  sqlite::Database connection_;
  std::atomic<bool> failed_{false};
  std::optional<store::StorageError> failure_;  ///< written once, before failed_
  sqlite::IoSince io_since_{};

  std::mutex mutex_;
  std::condition_variable wake_;
  bool news_ = false;  ///< commits since the WAL was last examined
  std::uint64_t commits_ = 0;
  std::size_t log_bytes_ = 0;
  std::size_t moved_bytes_ = 0;  ///< of these, moved or being moved
  bool hurry_ = false;           ///< the writer waits to call finish()
  bool caught_up_ = false;       ///< with all that was there when hurry_ was set
  bool paused_ = false;
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace verbatim::journal
