// The last N ids that were seen, to recognise a repeat (rule 3). Bounded in number and in bytes:
// an id too long to be anybody's is not remembered.
//
// One thread at a time. Not copyable: the index points into the queue.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_set>

namespace verbatim::session {

class RecentIds {
 public:
  explicit RecentIds(std::size_t capacity) : capacity_(capacity) {}
  RecentIds(const RecentIds&) = delete;
  RecentIds& operator=(const RecentIds&) = delete;

  bool contains(std::string_view id) const { return index_.count(id) != 0; }

  /// True if `id` is new; it is then remembered, and the oldest forgotten. An empty id is always
  /// new.
  bool insert(std::string_view id) {
    if (id.empty() || id.size() > longest_id || capacity_ == 0) return true;
    if (contains(id)) return false;
    if (order_.size() == capacity_) {
      index_.erase(order_.front());
      order_.pop_front();
    }
    index_.insert(order_.emplace_back(id));
    return true;
  }

  void clear() {
    index_.clear();
    order_.clear();
  }

 private:
  static constexpr std::size_t longest_id = 256;

  std::size_t capacity_;
  std::deque<std::string> order_;
  std::unordered_set<std::string_view> index_;
};

}  // namespace verbatim::session
