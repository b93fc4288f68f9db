// A shared value that SIGHUP can replace while it is in use. Readers keep the version that they
// took. Any thread.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

namespace verbatim {

template <class T>
class Reloadable {
 public:
  explicit Reloadable(std::shared_ptr<T> first) : current_(std::move(first)) {}

  std::shared_ptr<T> get() const {
    const std::lock_guard lock(mutex_);
    return current_;
  }
  void set(std::shared_ptr<T> next) {
    const std::lock_guard lock(mutex_);
    current_ = std::move(next);
  }

 private:
  mutable std::mutex mutex_;  // locked once per connection, never on a message's path
  std::shared_ptr<T> current_;
};

}  // namespace verbatim
