// Lets a thread wait for the results of asynchronous calls, until it has to stop.
//
// Any thread.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace verbatim {

class BlockingCalls {
 public:
  /// Begins a call and waits for its result. `begin` gets a function that takes the result: it is
  /// called once, on any thread, also after the end of this object. nullopt: stop() was called.
  template <class T, class Begin>
  std::optional<T> wait_for(Begin begin) {
    const auto result = std::make_shared<std::optional<T>>();
    begin([result, state = state_](T value) {
      {
        const std::lock_guard lock(state->mutex);
        result->emplace(std::move(value));
      }
      state->changed.notify_all();
    });
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [&] { return result->has_value() || state_->stopping; });
    return std::move(*result);
  }

  /// Ends every wait, for good. A result that is there already is still returned.
  void stop() {
    {
      const std::lock_guard lock(state_->mutex);
      state_->stopping = true;
    }
    state_->changed.notify_all();
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    bool stopping = false;
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace verbatim
