// The last N ids that were seen, to recognise a repeat (rule 3). Eight bytes an id: a fingerprint
// of 64 bits, since a long conversation has many ids and each costs memory in every session. That
// two of N ids share one is a matter of N / 2^64.
//
// One thread at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace verbatim::session {

class RecentIds {
 public:
  explicit RecentIds(std::size_t capacity) : capacity_(capacity) {}

  bool contains(std::string_view id) const {
    return !id.empty() && has(std::hash<std::string_view>{}(id));
  }

  /// True if `id` is new; it is then remembered, and the oldest forgotten. An empty id is always
  /// new.
  bool insert(std::string_view id) {
    if (id.empty() || capacity_ == 0) return true;
    const std::uint64_t print = std::hash<std::string_view>{}(id);
    if (has(print)) return false;
    if (prints_.size() < capacity_) {
      prints_.push_back(print);
    } else {
      prints_[oldest_] = print;
      oldest_ = (oldest_ + 1) % capacity_;
    }
    return true;
  }

  void clear() {
    prints_.clear();
    oldest_ = 0;
  }

 private:
  // A scan of some thousand bytes that lie in a row is cheaper than a hash table's memory.
  bool has(std::uint64_t print) const {
    return std::find(prints_.begin(), prints_.end(), print) != prints_.end();
  }

  std::size_t capacity_;
  std::size_t oldest_ = 0;
  std::vector<std::uint64_t> prints_;
};

}  // namespace verbatim::session
