#include "storage/journal/pruner.hpp"

#include <algorithm>
#include <utility>

#include "storage/rows/change_tracking.hpp"
#include "storage/rows/row_writer.hpp"

namespace verbatim::journal {
namespace {

constexpr transcript::Sequence prune_rows_max = 1000;
/// Number of watermarks that are remembered over the time for which rows are kept.
constexpr int watermarks_kept = 64;

}  // namespace

Pruner::Pruner(sqlite::Database& database, const JournalOptions& options,
               std::function<void()> committed)
    : database_(database),
      committed_(std::move(committed)),
      tracked_(options.track_changes),
      keep_shipped_(options.keep_shipped_ms) {
  if (!tracked_) return;
  // The store does not record when the watermark was reached: it counts as reached now.
  const auto state = rows::shipping_state(database);
  if (!state) return;
  released_ = std::min(state->pruned, state->shipped);
  note_shipped(state->shipped, Clock::now());
}

void Pruner::note_ended(transcript::Sequence rows) {
  needless_ += rows;
  some_ended_ = true;
  resting_ = false;
}

/// Reads the open attempts from the database, so that no caller can forget one. An attempt that has
/// only posted copies has no rows; its first row is 0.
void Pruner::find_oldest() {
  if (!std::exchange(some_ended_, false)) return;
  oldest_ = durable_ + 1;
  sqlite::Query row = database_.query(
      "SELECT min(first_seq) FROM attempt WHERE ended_at IS NULL AND first_seq > 0");
  if (row.step() && !row.is_null(0))
    oldest_ = std::min(oldest_, static_cast<transcript::Sequence>(row.integer(0)));
}

void Pruner::note_shipped(transcript::Sequence upto, Clock::time_point now) {
  while (!shipped_.empty() && shipped_.back().upto > upto) shipped_.pop_back();
  released_ = std::min(released_, upto);
  resting_ = false;
  if (upto <= std::max(released_, shipped_.empty() ? 0 : shipped_.back().upto)) return;
  if (!shipped_.empty() && now - shipped_.back().since < keep_shipped_ / watermarks_kept) {
    shipped_.back().upto = upto;
    shipped_.back().at = now;
  } else {
    shipped_.push_back({upto, now, now});
  }
}

void Pruner::release(Clock::time_point now) {
  while (!shipped_.empty() && now - shipped_.front().at >= keep_shipped_) {
    released_ = std::max(released_, shipped_.front().upto);
    some_to_forget_ = true;
    shipped_.pop_front();
  }
}

bool Pruner::sweep_is_due() const {
  if (next_ > 0) return true;
  if (end() < oldest_) return false;
  const transcript::Sequence from = std::max(swept_to_, oldest_ > 0 ? oldest_ - 1 : 0);
  const bool grown = end() > from && end() - from >= std::max(left_, prune_rows_max);
  return grown || needless_ >= std::max(left_ / 2, prune_rows_max);
}

Pruner::Clock::time_point Pruner::due() const {
  if (!resting_ &&
      (some_ended_ || front_ < std::min(oldest_, end() + 1) || sweep_is_due() || some_to_forget_))
    return Clock::time_point::min();
  return shipped_.empty() ? Clock::time_point::max() : shipped_.front().at + keep_shipped_;
}

bool Pruner::step(Clock::time_point now) {
  release(now);
  if (resting_) return false;
  find_oldest();
  return delete_front() || sweep_some() || forget_some();
}

void Pruner::rest() { resting_ = true; }

/// Deletes rows before the oldest open attempt.
bool Pruner::delete_front() {
  const transcript::Sequence limit = std::min(oldest_, end() + 1);
  if (front_ >= limit) return false;
  transcript::Sequence first = limit;
  {
    sqlite::Query oldest = database_.query("SELECT min(seq) FROM journal");
    if (oldest.step() && !oldest.is_null(0))
      first = static_cast<transcript::Sequence>(oldest.integer(0));
  }
  const auto end_of_step = std::min(limit, first + prune_rows_max);
  if (first < end_of_step) {
    sqlite::Transaction transaction(database_);
    rows::delete_events_before(database_, end_of_step);
    if (tracked_) rows::note_pruned(database_, end());
    transaction.commit();
    committed_();
  }
  front_ = end_of_step;
  return true;
}

/// One step of a sweep. Rows that are read and stay cost no transaction.
bool Pruner::sweep_some() {
  if (!sweep_is_due()) return false;
  if (next_ == 0) {
    next_ = std::max<transcript::Sequence>(oldest_, 1);
    swept_to_ = end();
    left_ = needless_ = 0;
  }
  const auto swept = rows::look_for_ended(database_, next_, swept_to_, prune_rows_max);
  left_ += static_cast<transcript::Sequence>(swept.rows - swept.needless);
  if (swept.needless > 0) {
    sqlite::Transaction transaction(database_);
    rows::delete_events_of_ended(database_, next_, swept.last);
    if (tracked_) rows::note_pruned(database_, end());
    transaction.commit();
    committed_();
  }
  next_ = swept.last > 0 && swept.last < swept_to_ ? swept.last + 1 : 0;
  return true;
}

/// Forgets changes that the database elsewhere has had for long enough.
bool Pruner::forget_some() {
  if (!some_to_forget_) return false;
  sqlite::Transaction transaction(database_);
  const std::int64_t forgotten =
      rows::forget_shipped(database_, released_, static_cast<std::int64_t>(prune_rows_max));
  some_to_forget_ = forgotten > 0;
  transaction.commit();
  committed_();
  return true;
}

}  // namespace verbatim::journal
