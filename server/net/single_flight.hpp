// Shares one costly query among many callers: at most one runs at a time, its answer is reused for
// a while, and callers that come meanwhile get the same answer.
//
// Any thread: each caller waits on its own executor. Must outlive its callers.
#pragma once

#include <exception>
#include <functional>
#include <mutex>
#include <utility>
#include <variant>
#include <vector>

#include "server/net/from_callback.hpp"

namespace verbatim::net {

template <class Answer>
class SingleFlight {
 public:
  /// `good_for`: how long an answer is reused.
  explicit SingleFlight(Clock::duration good_for) : good_for_(good_for) {}

  /// Returns the cached answer, or awaits `ask()`, an Awaitable<Answer>, on the caller's thread. An
  /// exception from `ask()` is thrown to every caller that waits for it.
  template <class Ask>
  Awaitable<Answer> get(Executor executor, Ask ask) {
    {
      std::unique_lock lock(mutex_);
      const Answer* answer = std::get_if<Answer>(&last_);
      if (answer && Clock::now() - landed_at_ < good_for_) co_return *answer;
      if (std::exchange(asking_, true)) {
        lock.unlock();
        co_return co_await others_answer(executor);
      }
    }
    Outcome outcome;
    try {
      outcome.template emplace<Answer>(co_await ask());
    } catch (...) {
      outcome = std::current_exception();
    }
    land(outcome);
    co_return value_of(std::move(outcome));
  }

 private:
  using Outcome = std::variant<std::exception_ptr, Answer>;

  Awaitable<Answer> others_answer(const Executor& executor) {
    const auto start = [this](auto done) {
      std::unique_lock lock(mutex_);
      if (asking_) {
        waiting_.emplace_back(std::move(done));
        return;
      }
      // The answer arrived between the two locks.
      Outcome landed = last_;
      lock.unlock();
      done(std::move(landed));
    };
    co_return value_of(co_await from_callback<Outcome>(executor, start));
  }

  void land(const Outcome& outcome) {
    std::vector<std::function<void(Outcome)>> waiting;
    {
      const std::lock_guard lock(mutex_);
      asking_ = false;
      last_ = outcome;
      landed_at_ = Clock::now();
      waiting.swap(waiting_);
    }
    for (const auto& one : waiting) one(outcome);
  }

  static Answer value_of(Outcome outcome) {
    if (const auto* bug = std::get_if<std::exception_ptr>(&outcome)) std::rethrow_exception(*bug);
    return std::get<Answer>(std::move(outcome));
  }

  const Clock::duration good_for_;
  std::mutex mutex_;
  bool asking_ = false;
  Outcome last_;  ///< before the first answer: a null exception
  Clock::time_point landed_at_{};
  std::vector<std::function<void(Outcome)>> waiting_;
};

}  // namespace verbatim::net
