#include "server/repair/queue.hpp"

#include <algorithm>
#include <utility>

namespace verbatim::repair {

std::size_t Queue::size() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

void Queue::add(const store::RepairableAttempt& attempt) {
  const std::lock_guard lock(mutex_);
  waiting_.try_emplace(attempt, Job{attempt, Clock::now(), false, {}});
}

void Queue::ask(const store::RepairableAttempt& attempt) {
  const std::lock_guard lock(mutex_);
  waiting_[attempt] = {attempt, Clock::now(), true, {}};
  news_ = true;
  asked_ = true;
  changed_.notify_all();
}

bool Queue::take_asked() {
  const std::lock_guard lock(mutex_);
  return std::exchange(asked_, false);
}

void Queue::put_back(Job job, Clock::time_point due) {
  const std::lock_guard lock(mutex_);
  job.due = due;
  waiting_.try_emplace(job.attempt, job);
}

std::optional<Queue::Job> Queue::take(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  auto first = waiting_.end();
  for (auto one = waiting_.begin(); one != waiting_.end(); ++one) {
    if (one->second.due > now || is_held(one->first.session_id)) continue;
    if (first == waiting_.end() || one->second.due < first->second.due) first = one;
  }
  if (first == waiting_.end() || stopping_) return std::nullopt;
  Job job = first->second;
  waiting_.erase(first);
  in_progress_ = job.attempt.session_id;
  return job;
}

void Queue::finish() {
  std::vector<std::function<void()>> calls;
  {
    const std::lock_guard lock(mutex_);
    in_progress_.clear();
    calls = std::exchange(when_finished_, {});
  }
  for (const auto& call : calls) call();
}

bool Queue::must_stop() const {
  const std::lock_guard lock(mutex_);
  return stopping_ || is_held(in_progress_);
}

Queue::Clock::time_point Queue::next_due() const {
  const std::lock_guard lock(mutex_);
  auto next = Clock::time_point::max();
  for (const auto& [attempt, job] : waiting_)
    if (!is_held(attempt.session_id)) next = std::min(next, job.due);
  return next;
}

void Queue::wait_until(Clock::time_point time) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, time, [this] { return news_ || stopping_; });
  news_ = false;
}

bool Queue::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void Queue::stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

void Queue::hold(const std::string& session_id, std::function<void()> done,
                 const std::function<void()>& interrupt) {
  {
    const std::lock_guard lock(mutex_);
    ++held_[session_id];
    if (in_progress_ == session_id) {
      when_finished_.push_back(std::move(done));
      done = nullptr;
    }
  }
  done ? done() : interrupt();
}

void Queue::release(const std::string& session_id) {
  const std::lock_guard lock(mutex_);
  const auto held = held_.find(session_id);
  if (held == held_.end()) return;
  if (--held->second == 0) held_.erase(held);
  news_ = true;
  changed_.notify_all();
}

}  // namespace verbatim::repair
