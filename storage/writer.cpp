#include "storage/writer.hpp"

#include <algorithm>
#include <utility>

#include "storage/records.hpp"

namespace verbatim::storage {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// How long nothing must come before the log is moved into the database.
constexpr milliseconds idle_time{200};
constexpr session::Sequence prune_rows_max = 1000;

/// The state of the file is unknown: what a failed sync did not write, a second one will not
/// report, and a checkpoint would spread it.
bool poisons(Failure failure) {
  return failure == Failure::io_error || failure == Failure::corrupt;
}

/// Whether an error inside a change is about the file and not about the change.
bool concerns_file(Failure failure) {
  return poisons(failure) || failure == Failure::disk_full || failure == Failure::read_only ||
         failure == Failure::busy;
}

}  // namespace

Writer::Writer(const JournalOptions& options, Database& database, CommitQueue& queue,
               JournalListener& listener)
    : options_(options),
      database_(database),
      queue_(queue),
      listener_(listener),
      checkpoint_at_(options.wal_checkpoint_bytes),
      durable_(highest_sequence(database)) {
  Query open = database_.query("SELECT id, first_seq FROM attempt WHERE ended_at IS NULL");
  while (open.step()) live_[open.integer(0)] = static_cast<session::Sequence>(open.integer(1));
}

void Writer::run() {
  try {
    while (queue_.take(jobs_, patience())) {
      next_ = 0;
      if (jobs_.empty()) tend();
      while (next_ < jobs_.size()) commit(next_batch());
    }
    close_in_order();
  } catch (const StorageError& error) {
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

void Writer::commit(std::span<Job> batch) {
  const auto give_up = steady_clock::now() + milliseconds(options_.full_retry_ms);
  for (milliseconds wait{10};; wait = std::min(wait * 2, milliseconds(200))) {
    try {
      write(batch);
      break;
    } catch (const StorageError& error) {
      // Nothing of the batch is in the file, so the same rows can be tried again: a full disk
      // heals when somebody makes room.
      if (error.failure() != Failure::disk_full || steady_clock::now() + wait > give_up ||
          !queue_.pause(wait))
        throw;
    }
  }
  publish(batch);
  checkpoint_if_large();
}

void Writer::write(std::span<Job> batch) {
  outcomes_.assign(batch.size(), std::nullopt);
  Transaction transaction(database_);
  for (std::size_t i = 0; i < batch.size(); ++i)
    std::visit([&](auto& what) { perform(batch[i], what, outcomes_[i]); }, batch[i].what);
  transaction.commit();
}

void Writer::perform(Job& job, AppendEvent& append, std::optional<StorageError>&) {
  insert_event(database_, job.sequence, append.attempt, append.at, append.body);
}

void Writer::perform(Job&, SettleTurn& settle, std::optional<StorageError>&) {
  upsert_turn(database_, settle.attempt, *settle.turn);
}

void Writer::perform(Job&, CloseAttempt& close, std::optional<StorageError>&) {
  finalise_attempt(database_, close.attempt, *close.ending);
}

void Writer::perform(Job& job, OpenAttempt& open, std::optional<StorageError>& outcome) {
  undoable(outcome, [&] { open.opened = insert_attempt(database_, *open.spec, job.sequence); });
}

void Writer::perform(Job&, Change& change, std::optional<StorageError>& outcome) {
  undoable(outcome, [&] { change.work(database_); });
}

template <class Work>
void Writer::undoable(std::optional<StorageError>& outcome, const Work& work) {
  Savepoint savepoint(database_);
  try {
    work();
    savepoint.release();
    return;
  } catch (const StorageError& error) {
    if (concerns_file(error.failure()) || !database_.in_transaction()) throw;
    outcome = error;
  } catch (const std::exception& error) {
    outcome = StorageError(Failure::other, error.what());
  }
  savepoint.undo();
}

void Writer::publish(std::span<Job> batch) {
  log_has_news_ = true;
  durable_.store(batch.back().sequence, std::memory_order_release);
  listener_.on_durable(batch.back().sequence);

  bool some_closed = false;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    Job& job = batch[i];
    bytes += job.bytes;
    const StorageError* const error = outcomes_[i] ? &*outcomes_[i] : nullptr;
    if (auto* open = std::get_if<OpenAttempt>(&job.what)) {
      if (!error) live_[open->opened.attempt] = job.sequence;
      open->done(open->opened, error);
    } else if (auto* change = std::get_if<Change>(&job.what)) {
      change->done(error);
    } else if (auto* close = std::get_if<CloseAttempt>(&job.what)) {
      some_closed |= live_.erase(close->attempt) > 0;
    }
  }
  if (some_closed) {
    low_water_ = batch.back().sequence + 1;
    for (const auto& [attempt, first] : live_) low_water_ = std::min(low_water_, first);
  }
  next_ += batch.size();
  queue_.done_with(bytes);
  count(batch, bytes);
}

void Writer::count(std::span<Job> batch, std::size_t bytes) {
  const auto now = steady_clock::now();
  const std::lock_guard lock(stats_mutex_);
  ++stats_.commits;
  stats_.rows += batch.size();
  stats_.bytes += bytes;
  for (const Job& job : batch) {
    const double waited = std::chrono::duration<double>(now - job.submitted).count();
    const auto* const bound = std::lower_bound(std::begin(JournalStats::bounds),
                                               std::end(JournalStats::bounds) - 1, waited);
    ++stats_.wait_buckets[bound - std::begin(JournalStats::bounds)];
    stats_.wait_sum_seconds += waited;
  }
}

JournalStats Writer::take_stats() {
  const std::lock_guard lock(stats_mutex_);
  return std::exchange(stats_, JournalStats{});
}

std::chrono::milliseconds Writer::patience() const {
  if (pruned_to_ < low_water_) return milliseconds(0);
  return log_has_news_ || database_.scrub_wanted() ? idle_time : CommitQueue::for_ever;
}

/// One short piece of housekeeping; the queue is looked at again after each.
void Writer::tend() {
  if (prune_some()) return;
  if (database_.scrub_wanted()) {
    database_.checkpoint(Database::Checkpoint::truncate_now);
  } else {
    database_.checkpoint(Database::Checkpoint::passive);
  }
  log_has_news_ = false;
}

bool Writer::prune_some() {
  if (pruned_to_ >= low_water_) return false;
  session::Sequence first = low_water_;
  {
    Query oldest = database_.query("SELECT min(seq) FROM journal");
    if (oldest.step() && !oldest.is_null(0))
      first = static_cast<session::Sequence>(oldest.integer(0));
  }
  const auto end = std::min(low_water_, first + prune_rows_max);
  if (first < end) {
    Transaction transaction(database_);
    delete_events_before(database_, end);
    transaction.commit();
    log_has_news_ = true;
  }
  pruned_to_ = end;
  return true;
}

void Writer::checkpoint_if_large() {
  if (database_.wal_bytes() < options_.wal_checkpoint_bytes) {
    checkpoint_at_ = options_.wal_checkpoint_bytes;
  } else if (database_.wal_bytes() >= checkpoint_at_) {
    database_.checkpoint(Database::Checkpoint::passive);
    // Held up by a reader, the log only grows; asking again at every commit would not help.
    checkpoint_at_ = database_.wal_bytes() + options_.wal_checkpoint_bytes / 4;
  }
}

void Writer::close_in_order() {
  database_.checkpoint(Database::Checkpoint::truncate);
  {
    Transaction transaction(database_);
    set_clean(database_, true);
    transaction.commit();
  }
  database_.checkpoint(Database::Checkpoint::truncate);
}

void Writer::fail(const StorageError& error) {
  if (poisons(error.failure())) database_.abandon();
  queue_.break_off(error);
  listener_.on_failed(error.failure(), error.what());

  std::vector<Job> unsaved(
      std::make_move_iterator(jobs_.begin() + static_cast<std::ptrdiff_t>(next_)),
      std::make_move_iterator(jobs_.end()));
  std::vector<Job> queued;
  queue_.take(queued, milliseconds(0));
  std::move(queued.begin(), queued.end(), std::back_inserter(unsaved));
  for (Job& job : unsaved) {
    if (auto* open = std::get_if<OpenAttempt>(&job.what)) open->done({}, &error);
    if (auto* change = std::get_if<Change>(&job.what)) change->done(&error);
  }
}

}  // namespace verbatim::storage
