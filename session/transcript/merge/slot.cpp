#include "session/transcript/merge/slot.hpp"

#include <algorithm>
#include <utility>

#include "session/transcript/merge/text_similarity.hpp"

namespace verbatim::session {
namespace {

bool share_an_id(const Slot& a, const Slot& b) {
  return std::any_of(a.ids.begin(), a.ids.end(), [&](const auto& id) { return b.has_id(id); });
}

bool share_a_text(const Slot& ours, const Slot& theirs) {
  for (const Saying& a : ours.sayings)
    for (const Saying& b : theirs.sayings)
      if (a.has_same_text(b)) return true;
  return false;
}

void add(std::vector<Saying>& sayings, Saying&& one) {
  const auto known = std::find_if(sayings.begin(), sayings.end(),
                                  [&](const Saying& other) { return other.is_same_version(one); });
  if (known == sayings.end()) {
    sayings.push_back(std::move(one));
  } else {
    known->sources.insert(known->sources.end(), one.sources.begin(), one.sources.end());
  }
}

}  // namespace

bool Slot::has_id(std::string_view id) const {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

void absorb(Slot& ours, Slot&& theirs) {
  if (ours.role == Role::unknown) ours.role = theirs.role;
  for (const std::string_view id : theirs.ids)
    if (!ours.has_id(id)) ours.ids.push_back(id);
  if (!ours.place) ours.place = theirs.place;
  if (!ours.started_at) ours.started_at = theirs.started_at;
  if (!ours.ended_at) ours.ended_at = theirs.ended_at;
  for (Saying& saying : theirs.sayings) add(ours.sayings, std::move(saying));
}

bool same_role(const Slot& a, const Slot& b) {
  return a.role == b.role || a.role == Role::unknown || b.role == Role::unknown;
}

bool differ_in_id(const Slot& a, const Slot& b) {
  return !a.ids.empty() && !b.ids.empty() && !share_an_id(a, b);
}

bool is_the_same(const Slot& ours, const Slot& theirs, bool ids_are_comparable) {
  return ours.role == theirs.role && share_a_text(ours, theirs) &&
         (!ids_are_comparable || theirs.ids.empty() || share_an_id(ours, theirs));
}

bool agree(const Slot& ours, const Slot& theirs) {
  if (!same_role(ours, theirs)) return false;
  if (share_an_id(ours, theirs) || share_a_text(ours, theirs)) return true;
  const auto continues = [](const Saying& more, const Saying& less) {
    return less.is_partial() && begins_with(more.words(), less.words());
  };
  for (const Saying& a : ours.sayings)
    for (const Saying& b : theirs.sayings)
      if (!a.words().empty() && (a.has_same_words(b) || continues(a, b) || continues(b, a)))
        return true;
  return false;
}

std::uint64_t work_of_comparing(const Slot& ours, const Slot& theirs) {
  const auto bytes = [](const Slot& slot) {
    std::uint64_t sum = 0;
    for (const Saying& saying : slot.sayings)
      sum += std::min(saying.text().size_bytes(), compared_bytes_max);
    return sum;
  };
  const std::uint64_t a = ours.sayings.size(), b = theirs.sayings.size();
  return 4 * a * b + (bytes(ours) * b + bytes(theirs) * a) / 4 +
         ours.ids.size() * theirs.ids.size();
}

std::size_t size_of(const Slots& slots) {
  std::size_t sum = 0;
  for (const Slot& slot : slots) sum += size_of(slot);
  return sum;
}

bool may_be_same(const Slot& ours, const Slot& theirs) {
  if (!same_role(ours, theirs)) return false;
  if (share_an_id(ours, theirs) || share_a_text(ours, theirs)) return true;
  for (const Saying& a : ours.sayings)
    for (const Saying& b : theirs.sayings)
      if (a.words().empty() || b.words().empty() || a.has_same_words(b) ||
          begins_with(a.words(), b.words()) || begins_with(b.words(), a.words()) ||
          sounds_like(a.words(), b.words()))
        return true;
  return false;
}

}  // namespace verbatim::session
