#include "storage/journal/writer.hpp"

#include <algorithm>
#include <utility>

#include "storage/journal/commit_signal.hpp"
#include "storage/rows/audio_runs.hpp"
#include "storage/rows/row_writer.hpp"

namespace verbatim::journal {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// After this long without a job, the WAL is emptied of erased text.
constexpr milliseconds writer_idle_time{200};
/// The limit if jobs keep coming; emptying the WAL delays the next commit by some milliseconds.
constexpr milliseconds scrub_at_latest{500};
/// The next try, if a reader prevented it.
constexpr milliseconds scrub_again_in{50};

/// Waits between two tries while the disk is full or locked. The first ones are short, because
/// removing the ballast helps at once. The next ones are short enough that a person hardly notices.
/// If no session waits, the writer tries once a second.
constexpr milliseconds first_try_in{10};
constexpr milliseconds next_try_in_max{200};
constexpr milliseconds unavailable_try_in{1000};
constexpr milliseconds return_try_in{1000};
/// Free space that is needed, beyond twice the segment's size, before the segment is merged back.
constexpr std::uintmax_t return_spare_bytes = 1024 * 1024;

/// True if an error inside a change concerns the file, not the change.
bool concerns_file(store::Failure failure) {
  return store::poisons(failure) || store::passes(failure) || failure == store::Failure::read_only;
}

}  // namespace

Writer::Writer(const JournalOptions& options, sqlite::Database& database, CommitQueue& queue,
               Checkpointer& checkpointer, store::JournalListener& listener)
    : options_(options),
      database_(database),
      queue_(queue),
      checkpointer_(checkpointer),
      listener_(listener),
      live_(live_attempts(database)),
      pruner_(database, options, [this] { checkpointer_.news(database_.wal_bytes()); }),
      checkpoint_at_(options.wal_checkpoint_bytes),
      durable_(rows::highest_sequence(database)),
      in_database_(durable_.load()) {
  pruner_.grown_to(durable());
  files_.watch(current());
}

void Writer::run() {
  try {
    while (queue_.take(jobs_, patience(), next_commit_at_)) {
      next_ = 0;
      if (jobs_.empty()) idle_work();
      while (next_ < jobs_.size()) commit_next();
      if (on_segment()) return_if_possible();
      scrub_if_due();
    }
    close_in_order();
  } catch (const store::StorageError& error) {
    fail(error);
  }
}

std::span<Job> Writer::next_batch() {
  std::size_t end = next_;
  std::size_t bytes = 0;
  while (end < jobs_.size() && end - next_ < options_.batch_rows_max &&
         (end == next_ || bytes + jobs_[end].bytes <= options_.batch_bytes_max))
    bytes += jobs_[end++].bytes;
  return std::span(jobs_).subspan(next_, end - next_);
}

void Writer::commit_next() {
  next_commit_at_ = steady_clock::now() + milliseconds(options_.commit_interval_ms);
  while (true) {
    // Built for each try: a queued request may have been refused in between.
    const std::span<Job> batch = next_batch();
    try {
      check_checkpoints();
      write(batch);
      check_files();
      publish(batch);
      break;
    } catch (const store::StorageError& error) {
      // Either the batch is not in the file, or that is unknown. In both cases its rows can be
      // written again under the same numbers.
      retry_or_degrade(error);
    }
  }
  if (trouble_since_ != idle) recover();
  checkpoint_if_large();
}

/// Throws if a checkpoint has failed: nothing more is written to that file.
void Writer::check_checkpoints() const {
  if (!on_segment()) checkpointer_.check();
}

/// Throws if a checkpoint has failed or the files were taken away: no row is reported durable then.
void Writer::check_files() const {
  check_checkpoints();
  files_.check();
}

void Writer::write(std::span<Job> batch) {
  outcomes_.assign(batch.size(), std::nullopt);
  {
    sqlite::IoTimer watched(io_since_);
    sqlite::Transaction transaction(current());
    {
      // Work between the statements uses the processor, not the disk.
      const sqlite::OffTheDisk between_statements(watched, current());
      for (std::size_t i = 0; i < batch.size(); ++i) {
        current().number_changes(batch[i].sequence);
        std::visit([&](auto& what) { perform(batch[i], what, outcomes_[i]); }, batch[i].what);
      }
    }
    transaction.commit();
  }
  if (stuck()) throw queue_.refusal();  // check() has given it up and reported the failure
}

void Writer::perform(Job& job, AppendEvent& append, std::optional<store::StorageError>&) {
  rows::insert_event(current(), job.sequence, append.attempt, append.at, append.body);
  if (append.audio) rows::upsert_audio_run(current(), append.attempt, *append.audio);
}

void Writer::perform(Job&, SettleTurn& settle, std::optional<store::StorageError>&) {
  const auto live = live_.find(settle.attempt);
  rows::upsert_turn(current(), settle.attempt, *settle.turn,
                    live == live_.end() ? 0 : ++live->second.turns);
}

void Writer::perform(Job&, CloseAttempt& close, std::optional<store::StorageError>&) {
  rows::finalise_attempt(current(), close.attempt, *close.ending);
}

void Writer::perform(Job&, MarkAttempt& mark, std::optional<store::StorageError>&) {
  rows::mark_attempt(current(), mark.attempt, mark.status);
}

void Writer::perform(Job&, SuspendAttempt& suspend, std::optional<store::StorageError>&) {
  rows::suspend_attempt(current(), suspend.attempt, *suspend.handover);
}

void Writer::perform(Job& job, OpenAttempt& open, std::optional<store::StorageError>& outcome) {
  undoable(outcome,
           [&] { open.opened = rows::insert_attempt(current(), *open.spec, job.sequence); });
}

void Writer::perform(Job&, Change& change, std::optional<store::StorageError>& outcome) {
  undoable(outcome, [&] { change.work(current()); });
}

void Writer::perform(Job&, Answered&, std::optional<store::StorageError>&) {}

template <class Work>
void Writer::undoable(std::optional<store::StorageError>& outcome, const Work& work) {
  sqlite::Savepoint savepoint(current());
  try {
    work();
    savepoint.release();
    return;
  } catch (const store::StorageError& error) {
    if (concerns_file(error.failure()) || !current().in_transaction()) throw;
    outcome = error;
  } catch (const std::exception& error) {
    outcome = store::StorageError(store::Failure::other, error.what());
  }
  savepoint.undo();
}

/// Everything durable is in the database now, not in a segment.
void Writer::reached_database() {
  in_database_.store(durable(), std::memory_order_release);
  if (options_.commit_signal) options_.commit_signal->notify();
}

void Writer::publish(std::span<Job> batch) {
  if (!on_segment()) checkpointer_.news(database_.wal_bytes());
  log_bytes_.store(current().wal_bytes(), std::memory_order_relaxed);
  std::size_t bytes = 0;
  for (const Job& job : batch) bytes += job.bytes;
  // Before on_durable(): a session that stopped reading because of crowded() checks once when it
  // wakes, and must find these bytes released.
  queue_.done_with(batch);
  stats_.add(batch, bytes);
  durable_.store(batch.back().sequence, std::memory_order_release);
  if (!on_segment()) reached_database();
  listener_.on_durable(batch.back().sequence);

  for (std::size_t i = 0; i < batch.size(); ++i) {
    Job& job = batch[i];
    const store::StorageError* const error = outcomes_[i] ? &*outcomes_[i] : nullptr;
    if (const auto* append = std::get_if<AppendEvent>(&job.what)) {
      const auto live = live_.find(append->attempt);
      if (live != live_.end()) ++live->second.rows;
    } else if (auto* open = std::get_if<OpenAttempt>(&job.what)) {
      if (!error) {
        open->spec->now = open->opened.started_at;
        live_[open->opened.attempt] = {open->opened.number, job.sequence, std::move(*open->spec)};
      }
      open->done(open->opened, error);
    } else if (auto* change = std::get_if<Change>(&job.what)) {
      if (change->opens && !error) live_.merge(live_attempts(current()));
      change->done(error);
    } else if (auto* close = std::get_if<CloseAttempt>(&job.what)) {
      const auto live = live_.find(close->attempt);
      if (live == live_.end()) continue;
      pruner_.note_ended(live->second.rows);
      live_.erase(live);
    }
  }
  pruner_.grown_to(durable());
  next_ += batch.size();
}

store::JournalState Writer::state() const {
  if (queue_.broken()) return store::JournalState::failed;
  const store::JournalState state = state_.load(std::memory_order_acquire);
  const auto since = io_since_.load(std::memory_order_relaxed);
  const bool slow =
      since != idle && steady_clock::now() - since > milliseconds(options_.slow_commit_ms);
  // The writer acts on a checkpoint's error at its next step; until then the state is stalled.
  const bool stalled = slow || checkpointer_.failed() || files_.taken_away();
  return state == store::JournalState::working && stalled ? store::JournalState::stalled : state;
}

void Writer::check(steady_clock::time_point now) {
  const milliseconds limit(options_.stuck_commit_ms + options_.busy_timeout_ms);
  const auto too_long = [&](steady_clock::time_point since) {
    return since != idle && now - since >= limit;
  };
  if (files_.look()) queue_.nudge();
  const bool commit = too_long(io_since_.load(std::memory_order_relaxed));
  if (!commit && !too_long(checkpointer_.io_since())) return;
  if (queue_.broken()) return;
  const store::StorageError why(
      store::Failure::io_error,
      options_.file.string() + (commit ? ": a commit" : ": a checkpoint") +
          " has taken more than " + std::to_string(options_.stuck_commit_ms) +
          " ms; check the disk and the kernel log, then start again to recover");
  stuck_.store(true, std::memory_order_release);
  if (queue_.break_off(why)) listener_.on_failed(why.failure(), why.what());
}

/// Returns when it is time to try again; throws if trying again cannot help.
void Writer::retry_or_degrade(const store::StorageError& error) {
  if (queue_.broken()) throw error;
  if (!store::passes(error.failure())) return rotate(error);
  const auto now = steady_clock::now();
  if (trouble_since_ == idle) {
    trouble_since_ = now;
    next_try_in_ = first_try_in;
    enter(store::JournalState::stalled, error);
    if (error.failure() == store::Failure::disk_full && !options_.ballast.empty()) {
      std::error_code none_there;
      if (std::filesystem::remove(options_.ballast, none_there)) return;
    }
  } else if (state_.load() == store::JournalState::stalled &&
             now - trouble_since_ >= milliseconds(options_.full_retry_ms)) {
    if (!options_.fallback_dir.empty() && !on_segment()) return rotate(error);
    refuse_requests(error);
    enter(store::JournalState::unavailable, error);
    next_try_in_ = unavailable_try_in;
  }
  if (!queue_.pause(next_try_in_)) {
    // The queue is stopped, so there is no time to wait: write the held rows to the fallback
    // directory if there is one.
    if (!options_.fallback_dir.empty() && !on_segment()) return rotate(error);
    throw error;
  }
  if (state_.load() == store::JournalState::stalled)
    next_try_in_ = std::min(next_try_in_ * 2, next_try_in_max);
}

void Writer::enter(store::JournalState state, const store::StorageError& why) {
  state_.store(state, std::memory_order_release);
  listener_.on_trouble(state, why);
}

void Writer::recover() {
  trouble_since_ = idle;
  if (on_segment()) {
    state_.store(store::JournalState::fallback, std::memory_order_release);
    return;
  }
  queue_.accept_requests();
  state_.store(store::JournalState::working, std::memory_order_release);
  listener_.on_recovered();
}

void Writer::rotate(const store::StorageError& why) {
  if (options_.fallback_dir.empty() || on_segment()) throw why;
  poisoned_ = !store::passes(why.failure());
  if (!poisoned_) {
    checkpointer_.pause();
    poisoned_ = checkpointer_.failed();
  }
  if (poisoned_) give_up_database();
  try {
    segment_ = begin_segment(segment_in(options_.fallback_dir), options_.durability, live_);
  } catch (const std::exception& second) {
    throw store::StorageError(
        why.failure(), std::string(why.what()) +
                           "; and the fallback directory could not be used: " + second.what());
  }
  files_.watch(current());
  files_.reset();
  trouble_since_ = idle;
  next_return_ = steady_clock::now() + return_try_in;
  checkpoint_at_ = options_.wal_checkpoint_bytes;
  refuse_requests(why);
  enter(store::JournalState::fallback, why);
}

void Writer::return_if_possible() {
  if (poisoned_ || steady_clock::now() < next_return_) return;
  next_return_ = steady_clock::now() + return_try_in;
  const std::filesystem::path file = segment_->file();
  std::error_code unknown;
  const auto room = std::filesystem::space(database_.file().parent_path(), unknown);
  const auto segment_bytes = std::filesystem::file_size(file, unknown) + segment_->wal_bytes();
  if (unknown || room.available < 2 * segment_bytes + return_spare_bytes) return;
  segment_->checkpoint(sqlite::Database::Checkpoint::truncate);
  segment_.reset();
  files_.forget();  // merge_segment() removes its files
  try {
    const sqlite::OpenFiles still_there(database_);
    database_.number_changes(durable());
    merge_segment(database_, file);
    reached_database();
  } catch (const store::StorageError& error) {
    poisoned_ = !store::passes(error.failure());
    if (poisoned_) give_up_database();
    segment_ = std::make_unique<sqlite::Database>(
        file, sqlite::Database::Options{.durability = options_.durability});
    files_.watch(current());
    return;
  }
  files_.watch(current());
  checkpoint_at_ = options_.wal_checkpoint_bytes;
  checkpointer_.news(database_.wal_bytes());
  checkpointer_.resume();
  recover();
}

/// Answers waiting requests with the error; keeps the other jobs.
void Writer::refuse_requests(const store::StorageError& why) {
  queue_.refuse_requests(why);
  queue_.take_more(jobs_);
  for (std::size_t i = next_; i < jobs_.size(); ++i) {
    if (auto* open = std::get_if<OpenAttempt>(&jobs_[i].what)) {
      open->done({}, &why);
    } else if (auto* change = std::get_if<Change>(&jobs_[i].what)) {
      change->done(&why);
    } else {
      continue;
    }
    jobs_[i].what = Answered{};
  }
}

/// From now on not a byte is written to the database, not even by closing it.
void Writer::give_up_database() {
  checkpointer_.halt();
  checkpointer_.abandon();
  database_.abandon();
}

void Writer::fail(const store::StorageError& error) {
  const bool poisoned = store::poisons(error.failure());
  if (on_segment()) {
    if (poisoned) segment_->abandon();
  } else {
    checkpointer_.halt();
    if (poisoned || checkpointer_.poisoned()) give_up_database();
  }
  if (queue_.break_off(error)) listener_.on_failed(error.failure(), error.what());
  refuse_requests(error);
}

std::chrono::milliseconds Writer::patience() const {
  if (on_segment()) return poisoned_ ? CommitQueue::for_ever : writer_idle_time;
  auto longest = database_.scrub_wanted() ? writer_idle_time : CommitQueue::for_ever;
  const auto due = pruner_.due();
  if (due == Pruner::Clock::time_point::max()) return longest;
  const auto now = steady_clock::now();
  if (due <= now) return milliseconds(0);
  return std::min(longest, std::chrono::ceil<milliseconds>(due - now));
}

/// One short step of maintenance; the queue is checked after each.
void Writer::idle_work() {
  if (on_segment()) return check_files();
  run_maintenance([this] {
    check_files();
    if (!pruner_.step(steady_clock::now())) scrub();
  });
}

/// Erased text must leave every file: empties the WAL into pages with empty gaps. Pages in memory
/// may still have the text in their gaps, so they are dropped and read again before they are
/// rewritten.
void Writer::scrub() {
  if (!database_.scrub_wanted()) return;
  if (checkpointer_.empty_log(sqlite::Database::Checkpoint::truncate_now)) {
    database_.log_was_emptied();
    database_.run("PRAGMA shrink_memory");
  }
  log_bytes_.store(database_.wal_bytes(), std::memory_order_relaxed);
}

/// Scrubs also in a journal that is never idle.
void Writer::scrub_if_due() {
  if (on_segment() || !database_.scrub_wanted()) {
    scrub_due_ = idle;
    return;
  }
  const auto now = steady_clock::now();
  if (scrub_due_ == idle) scrub_due_ = now + scrub_at_latest;
  if (now < scrub_due_) return;
  scrub_due_ = now + scrub_again_in;
  run_maintenance([this] {
    check_files();
    scrub();
  });
}

/// A full disk during maintenance is not handled here: the next commit meets it.
void Writer::run_maintenance(const std::function<void()>& work) {
  try {
    const sqlite::IoTimer from_now_on(io_since_);
    work();
  } catch (const store::StorageError& error) {
    if (!store::passes(error.failure())) return rotate(error);
    pruner_.rest();
  }
}

void Writer::checkpoint_if_large() {
  const std::size_t size = current().wal_bytes();
  if (size < options_.wal_checkpoint_bytes) {
    checkpoint_at_ = options_.wal_checkpoint_bytes;
  } else if (size >= checkpoint_at_) {
    bool moved = false;
    run_maintenance([&] {
      moved = on_segment() ? segment_->checkpoint(sqlite::Database::Checkpoint::passive)
                           : checkpointer_.finish();
    });
    // If a reader prevents it, the WAL only grows; trying at every commit would not help.
    if (moved) checkpoint_at_ = size + options_.wal_checkpoint_bytes / 4;
  }
}

void Writer::close_in_order() {
  check_files();
  if (on_segment()) {
    sqlite::Transaction transaction(*segment_);
    rows::set_clean(*segment_, true);
    transaction.commit();
    segment_->checkpoint(sqlite::Database::Checkpoint::truncate);
    return;  // the next start merges it: the database is not marked clean
  }
  checkpointer_.pause();
  try {
    checkpointer_.empty_log(sqlite::Database::Checkpoint::truncate);
    {
      sqlite::Transaction transaction(database_);
      rows::set_clean(database_, true);
      transaction.commit();
    }
    if (checkpointer_.empty_log(sqlite::Database::Checkpoint::truncate))
      database_.remove_log_on_close();
  } catch (const store::StorageError& error) {
    // Every reported row is durable; for lack of space the next start checks the file again.
    if (!store::passes(error.failure())) throw;
  }
}

}  // namespace verbatim::journal
