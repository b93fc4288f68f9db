// The latest N ids, to recognise a repeat (rule 3). An id takes sixteen bytes: eight for a 64-bit
// hash of the id, four for its content, four for the index. The ids themselves are not kept, since
// every session has many. The chance that two ids share a hash is about N / 2^64.
//
// One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace verbatim::transcript {

class RecentIds {
 public:
  static constexpr std::size_t capacity_max = 0xFFFF;

  explicit RecentIds(std::size_t capacity)
      : capacity_(capacity < capacity_max ? capacity : capacity_max) {}

  bool contains(std::string_view id) const {
    return !id.empty() && has(std::hash<std::string_view>{}(id));
  }

  enum class Seen : std::uint8_t { no, same, with_other_content };

  /// True if `id` is new. It is then remembered, and the oldest is dropped. An empty id is always
  /// new.
  bool insert(std::string_view id) { return insert(id, 0) == Seen::no; }

  /// The same, with a hash of the content that came with the id. A known id keeps its first hash.
  Seen insert(std::string_view id, std::uint32_t content) {
    if (id.empty() || capacity_ == 0) return Seen::no;
    const std::uint64_t print = std::hash<std::string_view>{}(id);
    if (has(print)) {
      const std::size_t known = index_[place_of(print)] - 1U;
      return contents_[known] == content ? Seen::same : Seen::with_other_content;
    }
    if (prints_.size() < capacity_) {
      // Allocate before any change: if memory runs out, nothing has changed.
      if (index_.size() < 2 * (prints_.size() + 1)) widen_index();
      contents_.resize(prints_.size());  // drops an entry left over when memory ran out before
      contents_.push_back(content);
      prints_.push_back(print);
      index_[place_of(print)] = static_cast<Number>(prints_.size());
    } else {
      forget(oldest_);
      prints_[oldest_] = print;
      contents_[oldest_] = content;
      index_[place_of(print)] = static_cast<Number>(oldest_ + 1);
      oldest_ = (oldest_ + 1) % capacity_;
    }
    return Seen::no;
  }

  void clear() {
    prints_.clear();
    contents_.clear();
    index_.clear();
    oldest_ = 0;
  }

 private:
  using Number = std::uint16_t;

  /// The place of the hash in the index, or its free place: at its home or behind it, with nothing
  /// free in between. At least half of the index is free.
  std::size_t place_of(std::uint64_t print) const {
    std::size_t place = home_of(print);
    while (index_[place] != 0 && prints_[index_[place] - 1U] != print) place = behind(place);
    return place;
  }
  std::size_t home_of(std::uint64_t print) const { return print & (index_.size() - 1); }
  std::size_t behind(std::size_t place) const { return (place + 1) & (index_.size() - 1); }

  bool has(std::uint64_t print) const { return !index_.empty() && index_[place_of(print)] != 0; }

  void widen_index() {
    index_.assign(index_.empty() ? 16 : 2 * index_.size(), 0);
    for (std::size_t i = 0; i < prints_.size(); ++i)
      index_[place_of(prints_[i])] = static_cast<Number>(i + 1);
  }

  /// Removes one entry from the index. Entries behind it that could no longer be found move up.
  void forget(std::size_t which) {
    std::size_t hole = place_of(prints_[which]);
    for (std::size_t at = behind(hole); index_[at] != 0; at = behind(at)) {
      const std::size_t home = home_of(prints_[index_[at] - 1U]);
      const std::size_t mask = index_.size() - 1;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;  // its home is behind the hole
      index_[hole] = index_[at];
      hole = at;
    }
    index_[hole] = 0;
  }

  std::size_t capacity_;
  std::size_t oldest_ = 0;
  std::vector<std::uint64_t> prints_;    ///< a ring, in the order of arrival
  std::vector<std::uint32_t> contents_;  ///< one for each of prints_
  std::vector<Number> index_;            ///< for each hash: its place in `prints_`, from 1; 0: free
};

}  // namespace verbatim::transcript
