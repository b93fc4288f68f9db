// The cheap way to bring a list in: each turn is one of ours if it has the same id, or the same
// words by the same speaker; what is left stands behind all others. Its time is in proportion to
// the list.
//
// Private to merge: for what more work than a merge may cost is not spent on.
#pragma once

#include <cstddef>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "session/transcript/merge/slot.hpp"

namespace verbatim::session {

class Unaligned {
 public:
  /// Takes over, and gives back in slots(), which no list may be joined to otherwise meanwhile.
  explicit Unaligned(MergedSlots ours);

  void add(MergedSlots&& theirs);
  MergedSlots slots() && { return std::move(ours_); }

 private:
  /// Ours with the same words, of which a list's own may each take one.
  struct Same {
    std::vector<std::size_t> at;
    std::size_t next = 0;
    std::size_t list = 0;  ///< in which `next` counts
  };
  static constexpr std::size_t roles = 4;

  void note(std::size_t at);
  std::size_t partner_of(const MergedSlot& theirs);

  MergedSlots ours_;
  std::vector<std::size_t> taken_in_;  ///< of each of ours: the last list that has it
  std::size_t list_ = 0;
  std::unordered_map<std::string_view, std::size_t> by_id_[roles];
  std::unordered_map<std::string_view, Same> by_words_[roles];
};

}  // namespace verbatim::session
