// A journal's listener that tests wait on, and the calls that most of them make.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "storage/journal/sqlite_journal.hpp"

namespace verbatim::test {

/// Far longer than anything takes: a test that hangs fails instead.
inline constexpr std::chrono::seconds patience{30};

/// True if `so` holds before the time is over.
template <class So>
bool becomes(const So& so) {
  for (const auto end = std::chrono::steady_clock::now() + patience; !so();) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

/// The answer of a store, which comes on another thread.
template <class T, class Call>
store::StoreResult<T> ask(const Call& call) {
  const auto answer = std::make_shared<std::promise<store::StoreResult<T>>>();
  call(store::Done<T>(
      [answer](store::StoreResult<T> result) { answer->set_value(std::move(result)); }));
  auto future = answer->get_future();
  if (future.wait_for(patience) != std::future_status::ready)
    throw std::runtime_error("the store did not answer");
  return future.get();
}

class JournalWatch final : public store::JournalListener {
 public:
  void on_durable(transcript::Sequence up_to) override {
    const std::lock_guard lock(mutex_);
    watermarks_.push_back(up_to);
    moved_.notify_all();
  }
  void on_failed(store::Failure failure, const std::string& message) override {
    const std::lock_guard lock(mutex_);
    failures_.emplace_back(failure, message);
    moved_.notify_all();
  }

  void on_trouble(store::JournalState state, const store::StorageError& why) override {
    const std::lock_guard lock(mutex_);
    states_.push_back(state);
    reasons_.emplace_back(why.what());
    moved_.notify_all();
  }
  void on_recovered() override {
    const std::lock_guard lock(mutex_);
    states_.push_back(store::JournalState::working);
    moved_.notify_all();
  }

  bool wait_durable(transcript::Sequence sequence) {
    std::unique_lock lock(mutex_);
    return moved_.wait_for(lock, patience, [&] {
      return (!watermarks_.empty() && watermarks_.back() >= sequence) || !failures_.empty();
    }) && failures_.empty();
  }
  bool wait_failed() {
    std::unique_lock lock(mutex_);
    return moved_.wait_for(lock, patience, [&] { return !failures_.empty(); });
  }

  /// Waits until the journal enters a state, or has entered it before.
  bool wait_state(store::JournalState state) {
    std::unique_lock lock(mutex_);
    return moved_.wait_for(lock, patience, [&] {
      return std::find(states_.begin(), states_.end(), state) != states_.end();
    });
  }

  std::vector<store::JournalState> states() const {
    const std::lock_guard lock(mutex_);
    return states_;
  }
  /// The error of each state except `working`.
  std::vector<std::string> reasons() const {
    const std::lock_guard lock(mutex_);
    return reasons_;
  }
  std::vector<transcript::Sequence> watermarks() const {
    const std::lock_guard lock(mutex_);
    return watermarks_;
  }
  std::vector<std::pair<store::Failure, std::string>> failures() const {
    const std::lock_guard lock(mutex_);
    return failures_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable moved_;
  std::vector<transcript::Sequence> watermarks_;
  std::vector<std::pair<store::Failure, std::string>> failures_;
  std::vector<store::JournalState> states_;
  std::vector<std::string> reasons_;
};

/// The attempt of a test that needs only one.
inline store::AttemptSpec usual_spec(TimeMs now = 1) {
  return {.session_id = "s1", .user = "ann", .model = "m", .now = now};
}

struct Opened {
  store::OpenedAttempt attempt;
  std::optional<store::StorageError> error;
};

inline Opened open_attempt(journal::SqliteJournal& journal, store::AttemptSpec spec) {
  const auto answer = std::make_shared<std::promise<Opened>>();
  journal.open_attempt(std::move(spec),
                       [answer](store::OpenedAttempt opened, const store::StorageError* error) {
                         answer->set_value({opened, error ? std::optional(*error) : std::nullopt});
                       });
  auto future = answer->get_future();
  if (future.wait_for(patience) != std::future_status::ready)
    throw std::runtime_error("open_attempt did not answer");
  return future.get();
}

inline std::optional<store::StorageError> execute(journal::SqliteJournal& journal,
                                                  std::function<void(sqlite::Database&)> work) {
  const auto answer = std::make_shared<std::promise<std::optional<store::StorageError>>>();
  journal.execute(std::move(work), [answer](const store::StorageError* error) {
    answer->set_value(error ? std::optional(*error) : std::nullopt);
  });
  auto future = answer->get_future();
  if (future.wait_for(patience) != std::future_status::ready)
    throw std::runtime_error("execute did not answer");
  return future.get();
}

inline transcript::Event placed(const std::string& item, transcript::Role role) {
  transcript::ItemPlaced place;
  place.item.id = item;
  place.item.role = role;
  place.item.status = transcript::ItemStatus::in_progress;
  return {"", place};
}

inline transcript::Event delta(const std::string& item, const std::string& text) {
  transcript::TextDelta body;
  body.item_id = item;
  body.response_id = "resp_1";
  body.text = Text::from_wtf8(text);
  return {"", body};
}

inline transcript::Turn turn(int ordinal, const std::string& item, const std::string& text,
                             transcript::TurnStatus status = transcript::TurnStatus::completed) {
  transcript::Turn made;
  made.ordinal = ordinal;
  made.item_id = item;
  made.role = transcript::Role::assistant;
  made.status = status;
  made.text = Text::from_wtf8(text);
  return made;
}

}  // namespace verbatim::test
