// A queue of work for one thread that serves several owners in turn: one piece of each owner, then
// one of the next. A hundred pieces of one owner do not delay the first piece of another.
//
// Any thread; a mutex for each call.
#pragma once

#include <deque>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/assert.hpp"

namespace verbatim {

template <class Work>
class FairQueue {
 public:
  /// `whose`: the owner. Pieces of one owner are taken in the order of their push().
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

  /// Takes the next piece. Precondition: the queue is not empty (pop() is called once for each
  /// push()).
  Work pop() {
    const std::lock_guard lock(mutex_);
    VERBATIM_EXPECTS(!turns_.empty());
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
  std::list<Line> turns_;  ///< front: the owner served next
  std::unordered_map<std::string, typename std::list<Line>::iterator> lines_;
};

}  // namespace verbatim
