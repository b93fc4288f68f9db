#include "storage/journal/commit_queue.hpp"

#include <iterator>
#include <utility>

namespace verbatim::journal {

bool CommitQueue::is_request(const Job& job) {
  return std::holds_alternative<OpenAttempt>(job.what) || std::holds_alternative<Change>(job.what);
}

bool CommitQueue::is_urgent(const Job& job) {
  return job.urgent || is_request(job) || std::holds_alternative<CloseAttempt>(job.what) ||
         std::holds_alternative<SuspendAttempt>(job.what);
}

transcript::Sequence CommitQueue::submit(Job&& job) {
  job.submitted = Clock::now();
  transcript::Sequence given;
  bool asleep;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_ || broken_ || held_) return 0;
    // The end of a session is never refused: there is one a session, and it cannot be sent in
    // another way.
    const bool ending = std::holds_alternative<CloseAttempt>(job.what) ||
                        std::holds_alternative<SuspendAttempt>(job.what);
    const bool large = job.bytes > large_bytes;
    if (!ending && !large && bytes_ - large_ + job.bytes > bytes_max_) return 0;
    if (no_requests_ && is_request(job)) return 0;
    bytes_ += job.bytes;
    if (large) large_ += job.bytes;
    if (bytes_ > bytes_max_ / 2) crowded_.store(true, std::memory_order_release);
    last_ += job.numbers;
    given = job.sequence = last_;
    if (is_urgent(job)) hurried_ = true;
    jobs_.push_back(std::move(job));
    asleep = std::exchange(waiting_, false) || wakes_from_pacing();
  }
  if (asleep) wake_.notify_one();
  return given;
}

bool CommitQueue::wakes_from_pacing() {
  return (hurried_ || crowded_.load(std::memory_order_relaxed)) && std::exchange(pacing_, false);
}

void CommitQueue::hurry() {
  bool asleep;
  {
    const std::lock_guard lock(mutex_);
    if (!jobs_.empty()) hurried_ = true;
    asleep = wakes_from_pacing();
  }
  if (asleep) wake_.notify_one();
}

void CommitQueue::hold(const store::StorageError& why) {
  const std::lock_guard lock(mutex_);
  held_ = true;
  no_requests_ = std::make_unique<store::StorageError>(why);
}

void CommitQueue::begin_after(transcript::Sequence last_used) {
  const std::lock_guard lock(mutex_);
  last_ = last_used;
  held_ = false;
  no_requests_.reset();
}

store::StorageError CommitQueue::refusal() const {
  const std::lock_guard lock(mutex_);
  if (broken_) return *broken_;
  if (no_requests_) return *no_requests_;
  return store::StorageError(store::Failure::queue_full,
                             stopped_
                                 ? "the journal is shutting down"
                                 : "the journal's queue is full: the disk is too slow or stalled");
}

bool CommitQueue::take(std::vector<Job>& batch, std::chrono::milliseconds wait_at_most,
                       Clock::time_point not_before) {
  batch.clear();
  std::unique_lock lock(mutex_);
  waiting_ = true;
  const auto something = [this] { return !jobs_.empty() || stopped_ || nudged_; };
  if (wait_at_most == for_ever) {
    wake_.wait(lock, something);
  } else if (wait_at_most.count() > 0) {
    wake_.wait_for(lock, wait_at_most, something);
  }
  waiting_ = false;
  nudged_ = false;
  if (!jobs_.empty()) pace(lock, not_before);
  count_step();
  batch.swap(jobs_);
  hurried_ = false;
  return !batch.empty() || !stopped_;
}

void CommitQueue::pace(std::unique_lock<std::mutex>& lock, Clock::time_point not_before) {
  pacing_ = true;
  wake_.wait_until(lock, not_before, [this] {
    return hurried_ || stopped_ || crowded_.load(std::memory_order_relaxed);
  });
  pacing_ = false;
}

void CommitQueue::take_more(std::vector<Job>& batch) {
  const std::lock_guard lock(mutex_);
  std::move(jobs_.begin(), jobs_.end(), std::back_inserter(batch));
  jobs_.clear();
}

void CommitQueue::done_with(std::span<const Job> jobs) {
  count_step();
  std::size_t bytes = 0;
  std::size_t large = 0;
  for (const Job& job : jobs) {
    bytes += job.bytes;
    if (job.bytes > large_bytes) large += job.bytes;
  }
  const std::lock_guard lock(mutex_);
  bytes_ -= bytes;
  large_ -= large;
  if (bytes_ <= bytes_max_ / 2) crowded_.store(false, std::memory_order_release);
}

std::size_t CommitQueue::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

void CommitQueue::nudge() {
  {
    const std::lock_guard lock(mutex_);
    nudged_ = true;
  }
  wake_.notify_one();
}

void CommitQueue::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_one();
}

void CommitQueue::refuse_requests(const store::StorageError& why) {
  const std::lock_guard lock(mutex_);
  no_requests_ = std::make_unique<store::StorageError>(why);
}

void CommitQueue::accept_requests() {
  const std::lock_guard lock(mutex_);
  no_requests_.reset();
}

bool CommitQueue::break_off(const store::StorageError& why) {
  const std::lock_guard lock(mutex_);
  if (broken_) return false;
  broken_ = std::make_unique<store::StorageError>(why);
  is_broken_.store(true, std::memory_order_release);
  return true;
}

bool CommitQueue::pause(std::chrono::milliseconds how_long) {
  std::unique_lock lock(mutex_);
  const bool stopped = wake_.wait_for(lock, how_long, [this] { return stopped_; });
  count_step();
  return !stopped;
}

}  // namespace verbatim::journal
