#include "storage/journal/checkpointer.hpp"

#include <algorithm>
#include <utility>

#include "base/thread_name.hpp"
#include "storage/journal/commit_queue.hpp"

namespace verbatim::journal {
namespace {

/// After this long without a commit, new pages are moved, however few they are.
constexpr std::chrono::milliseconds idle_time{200};
/// Otherwise pages are moved once this much is new. A page that is rewritten often, such as a
/// table's last one, is then moved once for many commits, and the sync of the database stays short.
constexpr std::size_t piece_bytes_max = 1024 * 1024;

}  // namespace

Checkpointer::Checkpointer(const JournalOptions& options, CommitQueue& queue)
    : queue_(queue),
      piece_bytes_(std::min(piece_bytes_max, options.wal_checkpoint_bytes / 4)),
      connection_(options.file, {.access = sqlite::Access::read_write,
                                 .durability = options.durability,
                                 .busy_timeout_ms = options.busy_timeout_ms,
                                 .syncs_log = options.durability == sqlite::Durability::process}),
      thread_([this] {
        name_this_thread("checkpoint");
        run();
      }) {}

Checkpointer::~Checkpointer() {
  set(stopped_);
  thread_.join();
}

/// Sets the flag and wakes the thread. False if it was set already.
bool Checkpointer::set(bool& what) {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(what, true)) return false;
  }
  wake_.notify_one();
  return true;
}

void Checkpointer::news(std::size_t log_bytes) {
  bool due;
  {
    const std::lock_guard lock(mutex_);
    due = !std::exchange(news_, true);
    ++commits_;
    if (log_bytes < log_bytes_) moved_bytes_ = 0;  // the WAL was restarted
    const bool was_small = log_bytes_ - moved_bytes_ < piece_bytes_;
    log_bytes_ = log_bytes;
    due |= was_small && log_bytes_ - moved_bytes_ >= piece_bytes_;
  }
  if (due) wake_.notify_one();
}

void Checkpointer::check() const {
  if (failed()) throw store::StorageError(*failure_);
}

bool Checkpointer::finish() {
  {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(caught_up_, false)) {
      if (!std::exchange(hurry_, true)) wake_.notify_one();
      return false;
    }
  }
  const std::unique_lock turn(turn_, std::try_to_lock);
  if (!turn) return false;
  checkpoint(sqlite::Database::Checkpoint::passive);
  return true;
}

bool Checkpointer::empty_log(sqlite::Database::Checkpoint mode) {
  const std::lock_guard turn(turn_);
  return checkpoint(mode);
}

void Checkpointer::pause() {
  set(paused_);
  const std::lock_guard not_any_more(turn_);
}

void Checkpointer::resume() {
  {
    const std::lock_guard lock(mutex_);
    paused_ = false;
  }
  wake_.notify_one();
}

void Checkpointer::halt() {
  if (set(stopped_)) connection_.interrupt();
  const std::lock_guard not_any_more(turn_);
}

bool Checkpointer::poisoned() const { return failed() && store::poisons(failure_->failure()); }

void Checkpointer::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopped_ || ((news_ || hurry_) && !paused_); });
    batch(lock);
    if (stopped_ || failed()) return;
    lock.unlock();
    move_log();
    lock.lock();
  }
}

void Checkpointer::batch(std::unique_lock<std::mutex>& lock) {
  const auto due = [this] {
    return stopped_ || hurry_ || log_bytes_ - moved_bytes_ >= piece_bytes_;
  };
  std::uint64_t seen = 0;
  do seen = commits_;
  while (!wake_.wait_for(lock, idle_time, due) && commits_ != seen);
}

void Checkpointer::move_log() {
  const std::lock_guard turn(turn_);
  bool hurried;
  {
    const std::lock_guard lock(mutex_);
    if (paused_ || stopped_ || failed()) return;
    news_ = false;
    moved_bytes_ = log_bytes_;
    hurried = hurry_;
    caught_up_ = false;
  }
  const sqlite::IoTimer from_now_on(io_since_);
  try {
    const bool some = checkpoint(sqlite::Database::Checkpoint::passive);
    // SQLite syncs the database only if it moved the whole WAL. Syncing here spares the writer that
    // wait.
    if (some && more_has_come()) guard([this] { connection_.sync(); });
  } catch (const store::StorageError&) {
    if (failed_) return queue_.nudge();
    // The error may pass: the next commit wakes the thread, and it tries again.
  }
  const std::lock_guard lock(mutex_);
  caught_up_ = hurried;
  if (hurried) hurry_ = false;
}

bool Checkpointer::more_has_come() {
  const std::lock_guard lock(mutex_);
  return news_ && !stopped_;
}

bool Checkpointer::checkpoint(sqlite::Database::Checkpoint mode) {
  bool done = false;
  guard([&] { done = connection_.checkpoint(mode); });
  return done;
}

/// Runs `work` unless an earlier error made the file untrusted; records an error that does not
/// pass.
template <class Work>
void Checkpointer::guard(const Work& work) {
  check();
  try {
    work();
  } catch (const store::StorageError& error) {
    if (!store::passes(error.failure())) {
      failure_ = error;
      failed_.store(true, std::memory_order_release);
    }
    throw;
  }
}

}  // namespace verbatim::journal
