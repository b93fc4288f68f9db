#include "session/transcript/merge/unaligned.hpp"

#include <utility>

namespace verbatim::transcript {

Unaligned::Unaligned(MergedSlots ours) : ours_(std::move(ours)), taken_in_(ours_.size(), 0) {
  for (std::size_t i = 0; i < ours_.size(); ++i) note(i);
}

void Unaligned::note(std::size_t at) {
  const MergedSlot& slot = ours_[at];
  const auto role = static_cast<std::size_t>(slot.role);
  for (const std::string_view id : slot.ids) by_id_[role].try_emplace(id, at);
  for (const Variant& variant : slot.variants) {
    if (variant.words().empty()) continue;
    auto& same = by_words_[role][variant.words()].at;
    if (same.empty() || same.back() != at) same.push_back(at);
  }
}

/// Our turn with the same id or words; `none` if there is none. Each of ours is used once per list.
std::size_t Unaligned::partner_of(const MergedSlot& theirs) {
  const auto role = static_cast<std::size_t>(theirs.role);
  for (const std::string_view id : theirs.ids)
    if (const auto at = by_id_[role].find(id); at != by_id_[role].end())
      if (taken_in_[at->second] != list_) return at->second;
  for (const Variant& variant : theirs.variants) {
    const auto found = by_words_[role].find(variant.words());
    if (found == by_words_[role].end()) continue;
    Same& same = found->second;
    if (std::exchange(same.list, list_) != list_) same.next = 0;
    while (same.next < same.at.size() && taken_in_[same.at[same.next]] == list_) ++same.next;
    if (same.next < same.at.size()) return same.at[same.next++];
  }
  return none;
}

void Unaligned::add(MergedSlots&& theirs) {
  ++list_;
  // A list's own turns are not partners of each other, so add them after all have been compared.
  std::vector<std::size_t> fresh;
  for (std::size_t j = 0; j < theirs.size(); ++j) {
    theirs[j].place.reset();  // the number was not compared, so it says nothing
    const std::size_t i = partner_of(theirs[j]);
    if (i == none) {
      fresh.push_back(j);
      continue;
    }
    taken_in_[i] = list_;
    absorb(ours_[i], std::move(theirs[j]));
  }
  for (const std::size_t j : fresh) {
    ours_.push_back(std::move(theirs[j]));
    taken_in_.push_back(list_);
    note(ours_.size() - 1);
  }
}

}  // namespace verbatim::transcript
