// The write-ahead journal: one SQLite file, one writer thread for all sessions, greedy group
// commit (take all that is queued, one transaction, sync, tell, repeat; no timer).
//
// Why so, with figures: docs/durability.md. Sequence numbers are the caller's promise of order;
// `durable` is the one watermark that output waits for.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "session/transcript/journal.hpp"
#include "storage/sqlite/durability.hpp"
#include "storage/sqlite/error.hpp"
#include "storage/store/attempt.hpp"

namespace verbatim::storage {

class Database;

struct JournalOptions {
  std::filesystem::path file;
  Durability durability = Durability::power;
  std::size_t queue_bytes_max = 64 * 1024 * 1024;  ///< beyond it submissions are refused
  std::size_t batch_rows_max = 1000;               ///< rows of one transaction
  std::size_t batch_bytes_max = 1024 * 1024;
  std::int64_t busy_timeout_ms = 2000;  ///< for a lock that another process holds
  /// How long conversations wait for a disk that is full or locked before they are ended (or go
  /// on in the fallback directory).
  std::int64_t full_retry_ms = 2000;
  std::int64_t slow_commit_ms = 1000;                   ///< a commit that takes longer is a stall
  std::int64_t stuck_commit_ms = 10000;                 ///< one that takes longer is an I/O error
  std::size_t wal_checkpoint_bytes = 16 * 1024 * 1024;  ///< the log begins anew beyond this
  std::filesystem::path fallback_dir;  ///< where journaling goes on; empty: nowhere
  std::filesystem::path ballast;       ///< a file to give up first when the disk is full; or empty
  /// Begin without the file, `unavailable`, because of this: it is opened, and the listener is told
  /// on_healed(), once `prepare` and the opening no longer fail for a reason that passes. Tried
  /// once a second on the journal's thread. Until then nothing is taken.
  std::optional<StorageError> begin_without;
  std::function<void()> prepare;  ///< what comes before the opening, as a recovery; or empty
};

enum class JournalState : std::uint8_t {
  working,
  stalled,      ///< a commit waits: the disk is full, locked or slow. Held and tried again
  unavailable,  ///< that, for too long: conversations end. Still held, still tried again
  fallback,     ///< works, in the fallback directory; nobody new is admitted
  failed,       ///< for good: the file is not touched again
};
const char* to_string(JournalState);

/// Told on the writer thread, except where it says otherwise; must return at once (post to your
/// own thread).
class JournalListener {
 public:
  virtual ~JournalListener() = default;
  virtual void on_durable(session::Sequence up_to) = 0;
  /// The journal has stopped for good: nothing submitted after durable() is safe. Once; also on
  /// the thread that calls check().
  virtual void on_failed(Failure failure, const std::string& message) = 0;
  /// It has become stalled, unavailable, or goes on in the fallback directory.
  virtual void on_trouble(JournalState, const StorageError&) {}
  /// It works again; what was held is being written.
  virtual void on_healed() {}
};

/// What happened to the queue, for metrics. Taken and reset by take_stats().
struct JournalStats {
  static constexpr std::size_t bucket_count = 24;
  /// Upper bounds, seconds, of wait_buckets (submit to durable); the last is +Inf.
  static const double bounds[bucket_count];
  std::uint64_t wait_buckets[bucket_count] = {};
  double wait_sum_seconds = 0;
  std::uint64_t commits = 0;
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
};

class SqliteJournal final : public session::Journal {
 public:
  /// Opens the file (made if absent), migrates it, sets and reads back every pragma, starts the
  /// writer. Throws StorageError. Recovery is separate (recovery.hpp) and comes first.
  SqliteJournal(JournalOptions options, JournalListener& listener);
  /// Takes no more, and lets the writer commit what is queued and close in order. False if that
  /// takes longer; it may be called again. What is not committed then is recovered by a start.
  bool shut_down(std::chrono::milliseconds at_most);
  /// The same, for as long as it takes.
  ~SqliteJournal() override;

  session::Taken append(session::AttemptId, TimeMs at, const session::Event&) override;
  session::Taken settle(session::AttemptId, const session::Turn&) override;
  session::Sequence close(session::AttemptId, session::Ending) override;
  session::Sequence mark(session::AttemptId, session::SessionStatus) override;
  session::Sequence suspend(session::AttemptId, const session::Handover&) override;
  session::Sequence durable() const override;
  bool failed() const override;
  bool crowded() const override;

  /// Any thread.
  JournalState state() const;
  /// Looks whether the writer is stuck in a commit; to be called a few times a second, from one
  /// thread. A journal that failed because of it can not be destroyed until the disk answers.
  void check(std::chrono::steady_clock::time_point now);
  bool stuck() const;
  /// Held or being written, and the size of the write-ahead log.
  std::size_t queue_bytes() const;
  std::size_t log_bytes() const;

  /// Opens the next attempt of a session. `done` runs on the writer thread once it is durable, or
  /// with the failure (io_error, disk_full, ..., or not_found when the session is another user's).
  /// If the journal refuses at once, as append() would with 0 or because it is unavailable or on
  /// its fallback, it runs on the caller's thread before this returns; so does that of execute().
  void open_attempt(AttemptSpec spec, std::function<void(OpenedAttempt, const StorageError*)> done);

  /// Any other change: `work` runs on the writer thread inside a batch's transaction, in a
  /// savepoint of its own; `done` once that is durable (nullptr) or undone. `work` runs again if
  /// the disk was full the first time.
  void execute(std::function<void(Database&)> work, std::function<void(const StorageError*)> done);

  JournalStats take_stats();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace verbatim::storage
