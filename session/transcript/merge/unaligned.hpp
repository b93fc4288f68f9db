// The cheap way to merge a list. A turn is the same as ours if it has the same id, or the same
// words and role. All others are appended at the end. Time grows with the length of the list.
//
// Private to merge; one thread. Used when the work of a merge is used up.
#pragma once

#include <cstddef>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "session/transcript/merge/slot.hpp"

namespace verbatim::transcript {

class Unaligned {
 public:
  /// Takes over `ours`; slots() returns it. Do not join other lists to it in between.
  explicit Unaligned(MergedSlots ours);

  void add(MergedSlots&& theirs);
  MergedSlots slots() && { return std::move(ours_); }

 private:
  /// Our turns with the same words; each turn of a list may take one.
  struct Same {
    std::vector<std::size_t> at;
    std::size_t next = 0;
    std::size_t list = 0;  ///< the list that `next` belongs to
  };
  static constexpr std::size_t roles = 4;

  void note(std::size_t at);
  std::size_t partner_of(const MergedSlot& theirs);

  MergedSlots ours_;
  std::vector<std::size_t> taken_in_;  ///< for each of ours: the last list that has it
  std::size_t list_ = 0;
  std::unordered_map<std::string_view, std::size_t> by_id_[roles];
  std::unordered_map<std::string_view, Same> by_words_[roles];
};

}  // namespace verbatim::transcript
