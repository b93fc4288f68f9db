// The list of WebSockets and answers that this node carries now for other nodes' sessions. At the
// end of the process all of them are asked to stop.
//
// Any thread; a small mutex, taken when one begins and ends.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include <boost/asio/post.hpp>

#include "server/net/async.hpp"

namespace verbatim::peers {

class CarriedList : public std::enable_shared_from_this<CarriedList> {
 public:
  using Stop = std::function<void()>;

  /// One entry, removed by the destructor.
  class Entry {
   public:
    Entry(std::shared_ptr<CarriedList> list, std::uint64_t number)
        : list_(std::move(list)), number_(number) {}
    ~Entry() { list_->remove(number_); }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   private:
    const std::shared_ptr<CarriedList> list_;
    const std::uint64_t number_;
  };

  /// `stop` is posted to `executor` by stop_all(), at once if that was called before. It may run
  /// after the entry was removed.
  std::unique_ptr<Entry> add(const net::Executor& executor, Stop stop) {
    const std::lock_guard lock(mutex_);
    if (stopped_) asio::post(executor, stop);
    const std::uint64_t number = ++last_;
    carried_.emplace(number, std::pair(executor, std::move(stop)));
    return std::make_unique<Entry>(shared_from_this(), number);
  }

  void stop_all() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    for (const auto& [number, one] : carried_) asio::post(one.first, one.second);
  }

  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return carried_.size();
  }

 private:
  void remove(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    carried_.erase(number);
  }

  mutable std::mutex mutex_;
  bool stopped_ = false;
  std::uint64_t last_ = 0;
  std::unordered_map<std::uint64_t, std::pair<net::Executor, Stop>> carried_;
};

}  // namespace verbatim::peers
