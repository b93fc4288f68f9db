// Work for one thread, in turns: whoever has work waiting gets one piece done, then the next who
// has some. So a hundred pieces of one do not hold up the first of another.
//
// Any thread.
#pragma once

#include <deque>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

namespace verbatim::server {

template <class Work>
class FairQueue {
 public:
  /// `whose`: pieces of the same name are done in the order in which they came.
  void push(const std::string& whose, Work work) {
    const std::lock_guard lock(mutex_);
    const auto found = lines_.find(whose);
    if (found != lines_.end()) {
      found->second->waiting.push_back(std::move(work));
      return;
    }
    turns_.push_back({whose, {}});
    turns_.back().waiting.push_back(std::move(work));
    lines_.emplace(whose, std::prev(turns_.end()));
  }

  /// The next one. Precondition: as many were taken as were pushed, less one at least.
  Work pop() {
    const std::lock_guard lock(mutex_);
    const auto first = turns_.begin();
    Work work = std::move(first->waiting.front());
    first->waiting.pop_front();
    if (first->waiting.empty()) {
      lines_.erase(first->whose);
      turns_.erase(first);
    } else {
      turns_.splice(turns_.end(), turns_, first);
    }
    return work;
  }

 private:
  struct Line {
    std::string whose;
    std::deque<Work> waiting;
  };
  std::mutex mutex_;
  std::list<Line> turns_;  ///< whose turn is next in front
  std::unordered_map<std::string, typename std::list<Line>::iterator> lines_;
};

}  // namespace verbatim::server
