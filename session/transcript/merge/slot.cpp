#include "session/transcript/merge/slot.hpp"

#include <algorithm>
#include <utility>

#include "session/transcript/merge/text_similarity.hpp"

namespace verbatim::transcript {
namespace {

bool share_an_id(const MergedSlot& a, const MergedSlot& b) {
  return std::any_of(a.ids.begin(), a.ids.end(), [&](const auto& id) { return b.has_id(id); });
}

bool share_a_text(const MergedSlot& ours, const MergedSlot& theirs) {
  for (const Variant& a : ours.variants)
    for (const Variant& b : theirs.variants)
      if (a.has_same_text(b)) return true;
  return false;
}

void add(std::vector<Variant>& variants, Variant&& one) {
  const auto known = std::find_if(variants.begin(), variants.end(),
                                  [&](const Variant& other) { return other.is_same_version(one); });
  if (known == variants.end()) {
    variants.push_back(std::move(one));
  } else {
    known->sources.insert(known->sources.end(), one.sources.begin(), one.sources.end());
  }
}

}  // namespace

bool MergedSlot::has_id(std::string_view id) const {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

void absorb(MergedSlot& ours, MergedSlot&& theirs) {
  if (ours.role == Role::unknown) ours.role = theirs.role;
  for (const std::string_view id : theirs.ids)
    if (!ours.has_id(id)) ours.ids.push_back(id);
  if (!ours.place) ours.place = theirs.place;
  if (!ours.started_at) ours.started_at = theirs.started_at;
  if (!ours.ended_at) ours.ended_at = theirs.ended_at;
  for (Variant& variant : theirs.variants) add(ours.variants, std::move(variant));
}

bool same_role(const MergedSlot& a, const MergedSlot& b) {
  return a.role == b.role || a.role == Role::unknown || b.role == Role::unknown;
}

bool differ_in_id(const MergedSlot& a, const MergedSlot& b) {
  return !a.ids.empty() && !b.ids.empty() && !share_an_id(a, b);
}

bool is_the_same(const MergedSlot& ours, const MergedSlot& theirs, bool ids_are_comparable) {
  return ours.role == theirs.role && share_a_text(ours, theirs) &&
         (!ids_are_comparable || theirs.ids.empty() || share_an_id(ours, theirs));
}

bool agree(const MergedSlot& ours, const MergedSlot& theirs) {
  if (!same_role(ours, theirs)) return false;
  if (share_an_id(ours, theirs) || share_a_text(ours, theirs)) return true;
  const auto continues = [](const Variant& more, const Variant& less) {
    return less.is_partial() && begins_with(more.words(), less.words());
  };
  for (const Variant& a : ours.variants)
    for (const Variant& b : theirs.variants)
      if (!a.words().empty() && (a.has_same_words(b) || continues(a, b) || continues(b, a)))
        return true;
  return false;
}

std::uint64_t work_of_comparing(const MergedSlot& ours, const MergedSlot& theirs) {
  const auto bytes = [](const MergedSlot& slot) {
    std::uint64_t sum = 0;
    for (const Variant& variant : slot.variants)
      sum += std::min(variant.text().size_bytes(), compared_bytes_max);
    return sum;
  };
  const std::uint64_t a = ours.variants.size(), b = theirs.variants.size();
  return 4 * a * b + (bytes(ours) * b + bytes(theirs) * a) / 4 +
         ours.ids.size() * theirs.ids.size();
}

std::size_t size_of(const MergedSlots& slots) {
  std::size_t sum = 0;
  for (const MergedSlot& slot : slots) sum += size_of(slot);
  return sum;
}

bool compatible(const MergedSlot& ours, const MergedSlot& theirs) {
  if (!same_role(ours, theirs)) return false;
  if (share_an_id(ours, theirs) || share_a_text(ours, theirs)) return true;
  for (const Variant& a : ours.variants)
    for (const Variant& b : theirs.variants)
      if (a.words().empty() || b.words().empty() || a.has_same_words(b) ||
          begins_with(a.words(), b.words()) || begins_with(b.words(), a.words()) ||
          similar(a.words(), b.words()))
        return true;
  return false;
}

}  // namespace verbatim::transcript
