// The write-ahead journal: one SQLite file and one writer thread for all sessions. It uses group
// commit: take everything queued, write one transaction, sync, report, repeat. A commit begins at
// least `commit_interval_ms` after the one before, so that a fast disk groups rows as well. Urgent
// rows do not wait: ends, admissions, changes, and everything queued when hurry() is called.
//
// docs/durability.md gives the reasons, with figures. Rows are written in the order of their
// sequence numbers. Output waits until durable() reaches the sequence number of its row.
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
#include "storage/store/attempt.hpp"
#include "storage/store/error.hpp"
#include "storage/store/health.hpp"

namespace verbatim::sqlite {
class Database;
}  // namespace verbatim::sqlite

namespace verbatim::journal {

class CommitSignal;

/// The defaults are those of config/keys_storage.cpp, which the tests compare with them.
struct JournalOptions {
  std::filesystem::path file;
  sqlite::Durability durability = sqlite::Durability::power;
  std::size_t queue_bytes_max = 64 * 1024 * 1024;  ///< beyond it submissions are refused
  std::int64_t commit_interval_ms = 4;  ///< from the begin of a commit to that of the next
  bool turns_are_urgent = false;        ///< a turn has a webhook's message, which does not wait
  std::size_t batch_rows_max = 1000;    ///< rows in one transaction
  std::size_t batch_bytes_max = 1024 * 1024;
  std::int64_t busy_timeout_ms = 2000;  ///< the wait for a lock that another process holds
  /// How long live sessions wait for a full or locked disk. Then they end, or journaling moves to
  /// the fallback directory.
  std::int64_t full_retry_ms = 2000;
  std::int64_t slow_commit_ms = 1000;    ///< a commit that takes longer is a stall
  std::int64_t stuck_commit_ms = 10000;  ///< a commit that takes longer is an I/O error
  std::size_t wal_checkpoint_bytes = 16 * 1024 * 1024;  ///< above this size the WAL is restarted
  std::filesystem::path fallback_dir;  ///< journaling continues here; empty: nowhere
  std::filesystem::path ballast;  ///< a file to remove first when the disk is full; may be empty
  /// If set, the journal starts without the file, `unavailable` because of this error, and takes
  /// nothing. Its thread runs `prepare` and opens the file, once a second while that fails for a
  /// reason that passes. Then it calls on_recovered().
  std::optional<store::StorageError> begin_without;
  std::function<void()> prepare;  ///< runs before the opening, for example recovery; may be empty
  /// For a database elsewhere (storage/store/shipping_store.hpp). False: changes that were tracked
  /// are forgotten.
  bool track_changes = false;
  std::int64_t keep_shipped_ms = 600'000;  ///< how long rows stay that the database elsewhere has
  std::shared_ptr<CommitSignal> commit_signal;  ///< notified at each commit; may be null
};

class SqliteJournal final : public transcript::Journal {
 public:
  /// Opens the file (makes it if missing), migrates it, sets and reads back every pragma, and
  /// starts the writer. Throws StorageError. Run recovery (recovery.hpp) first.
  SqliteJournal(JournalOptions options, store::JournalListener& listener);
  /// Takes no more; the writer commits what is queued and closes in order. False if that takes
  /// longer than `at_most`; it may be called again. The next start recovers what was not committed.
  bool shut_down(std::chrono::milliseconds at_most);
  /// The same, without a time limit.
  ~SqliteJournal() override;

  transcript::Taken append(transcript::AttemptId, TimeMs at, const transcript::Event&) override;
  transcript::Taken settle(transcript::AttemptId, const transcript::Turn&) override;
  transcript::Sequence close(transcript::AttemptId, transcript::Ending) override;
  transcript::Sequence mark(transcript::AttemptId, transcript::SessionStatus) override;
  transcript::Sequence suspend(transcript::AttemptId, const transcript::Handover&) override;
  transcript::Sequence durable() const override;
  bool failed() const override;
  bool crowded() const override;
  void hurry() override;

  /// Any thread.
  store::JournalState state() const;
  /// Detects a writer that is stuck in a commit. Call it a few times a second, from one thread. A
  /// journal that failed for this cannot be destroyed until the disk answers.
  void check(std::chrono::steady_clock::time_point now);
  bool stuck() const;
  /// Any thread: see store::StoreHealth::writer_steps().
  std::uint64_t writer_steps();
  /// Bytes held or being written; bytes of the WAL.
  std::size_t queue_bytes() const;
  std::size_t log_bytes() const;

  /// Opens the next attempt of a session. `done` runs on the writer thread when the attempt is
  /// durable, or with the error (for example io_error, disk_full; not_found if the session belongs
  /// to another user).
  /// If the journal refuses at once, `done` runs on the caller's thread before this returns. It
  /// refuses where append() returns 0, and while it is unavailable or in the fallback directory.
  /// execute() does the same.
  void open_attempt(store::AttemptSpec spec,
                    std::function<void(store::OpenedAttempt, const store::StorageError*)> done);

  /// Any other change. `work` runs on the writer thread in a batch's transaction, in a savepoint of
  /// its own. `done` gets nullptr once the change is durable, or the error if it was undone. `work`
  /// runs again if the transaction is retried, for example after a full disk.
  void execute(std::function<void(sqlite::Database&)> work,
               std::function<void(const store::StorageError*)> done);
  /// The same for a change that makes attempts with `numbers` journal rows, which go on. Their last
  /// number is passed to `work`.
  void import(transcript::Sequence numbers,
              std::function<void(sqlite::Database&, transcript::Sequence last)> work,
              std::function<void(const store::StorageError*)> done);

  store::JournalStats take_stats();

  /// Any thread. Everything up to here is in the database itself, not only in the fallback
  /// directory: all of it is in a snapshot that begins later.
  transcript::Sequence durable_in_database() const;
  /// The watermark of a database elsewhere (store::Shipping): note_shipped(), or with `resumed`
  /// resume_from(). `done` is called as by execute(); true: stored rows are marked to be sent.
  void note_shipped(transcript::Sequence upto, bool resumed,
                    std::function<void(bool, const store::StorageError*)> done);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace verbatim::journal
