#include "session/transcript/merge/word_alignment.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "session/transcript/merge/longest_pairing.hpp"
#include "session/transcript/merge/text_similarity.hpp"

namespace verbatim::transcript {
namespace {

/// Distinctive words, found by how they begin.
class ByOpening {
 public:
  explicit ByOpening(const MergedSlots& slots) {
    for (std::size_t i = 0; i < slots.size(); ++i)
      for (const Variant& variant : slots[i].variants)
        if (variant.words().size() >= distinctive_length)
          by_opening_[opening_of(variant.words())].emplace_back(i, &variant);
  }
  /// The only turn that continues `cut`; `none` if there is none or more than one.
  std::size_t continued_by(const MergedSlot& cut, const MergedSlots& others,
                           MergeWork& work) const {
    std::size_t found = none;
    for (const Variant& variant : cut.variants) {
      if (!variant.is_partial() || variant.words().size() < distinctive_length) continue;
      const auto at = by_opening_.find(opening_of(variant.words()));
      if (at == by_opening_.end()) continue;
      for (const auto& [i, more] : at->second) {
        if (!work.take(1)) return none;
        if (i == found || others[i].role != cut.role ||
            !begins_with(more->words(), variant.words()))
          continue;
        if (found != none) return none;
        found = i;
      }
    }
    return found;
  }

 private:
  static std::string_view opening_of(const std::string& words) {
    return std::string_view(words).substr(0, distinctive_length);
  }
  using Openers = std::vector<std::pair<std::size_t, const Variant*>>;
  std::unordered_map<std::string_view, Openers> by_opening_;
};

bool any_cut_short(const MergedSlots& slots) {
  return std::any_of(slots.begin(), slots.end(), [](const MergedSlot& slot) {
    return std::any_of(slot.variants.begin(), slot.variants.end(),
                       [](const Variant& variant) { return variant.is_partial(); });
  });
}

void add_cut_short(const MergedSlots& ours, const MergedSlots& theirs, bool ids_are_comparable,
                   Anchors& anchors, MergeWork& work) {
  const auto add = [&](std::size_t i, std::size_t j) {
    if (ids_are_comparable && differ_in_id(ours[i], theirs[j])) return;
    anchors.emplace_back(i, j);
  };
  if (any_cut_short(ours)) {
    const ByOpening known(theirs);
    for (std::size_t i = 0; i < ours.size(); ++i)
      if (const std::size_t j = known.continued_by(ours[i], theirs, work); j != none) add(i, j);
  }
  if (any_cut_short(theirs)) {
    const ByOpening known(ours);
    for (std::size_t j = 0; j < theirs.size(); ++j)
      if (const std::size_t i = known.continued_by(theirs[j], ours, work); i != none) add(i, j);
  }
}

/// Turns of `theirs` with distinctive text (`distinctive_length` bytes or more), and the places of
/// the same text in `ours`.
class DistinctiveWords {
 public:
  explicit DistinctiveWords(const MergedSlots& theirs) {
    places_.reserve(theirs.size());
    for (std::size_t j = 0; j < theirs.size(); ++j)
      for (const Variant& variant : theirs[j].variants)
        if (variant.words().size() >= distinctive_length)
          note(places_[{theirs[j].role, &variant}].theirs, j);
  }
  /// Ours gets no table: it is much longer, since it holds everything merged before.
  void look_for_among(const MergedSlots& ours) {
    for (std::size_t i = 0; i < ours.size(); ++i)
      for (const Variant& variant : ours[i].variants) {
        if (variant.words().size() < distinctive_length) continue;
        const auto at = places_.find({ours[i].role, &variant});
        if (at != places_.end()) note(at->second.ours, i);
      }
  }
  /// Our turn with these words; `none` unless they occur exactly once on each side.
  std::size_t partner_of(const MergedSlot& slot, const Variant& variant) const {
    const auto at = places_.find({slot.role, &variant});
    return at == places_.end() || at->second.theirs == often ? none : once(at->second.ours);
  }

 private:
  static constexpr std::size_t often = none - 1;
  struct Places {
    std::size_t ours = none;
    std::size_t theirs = none;
  };
  static void note(std::size_t& place, std::size_t here) {
    place = place == none || place == here ? here : often;
  }
  static std::size_t once(std::size_t place) { return place == often ? none : place; }

  std::unordered_map<Spoken, Places, SpokenHash> places_;
};

/// Adds pairs with the same id and a compatible role: some writers give a question and its answer
/// one id.
void add_by_id(const MergedSlots& ours, const MergedSlots& theirs, Anchors& anchors) {
  if (std::all_of(theirs.begin(), theirs.end(),
                  [](const MergedSlot& slot) { return slot.ids.empty(); }))
    return;
  std::unordered_multimap<std::string_view, std::size_t> by_id;
  for (std::size_t i = ours.size(); i-- > 0;)
    for (const std::string_view id : ours[i].ids) by_id.emplace(id, i);
  for (std::size_t j = 0; j < theirs.size(); ++j) {
    std::size_t partner = none;
    for (const std::string_view id : theirs[j].ids)
      for (auto [at, end] = by_id.equal_range(id); at != end; ++at)
        if (same_role(ours[at->second], theirs[j])) partner = std::min(partner, at->second);
    if (partner != none) anchors.emplace_back(partner, j);
  }
}

/// Upper bound on the pairs: turns with the same words, in any order.
std::size_t most_pairs(const MergedSlots& ours, const MergedSlots& theirs) {
  std::unordered_map<Spoken, std::size_t, SpokenHash> there;
  there.reserve(theirs.size());
  for (const MergedSlot& slot : theirs)
    for (const Variant& variant : slot.variants) there.try_emplace({slot.role, &variant}, 0);
  for (const MergedSlot& slot : ours)
    for (const Variant& variant : slot.variants)
      if (const auto at = there.find({slot.role, &variant}); at != there.end()) ++at->second;
  std::size_t pairs = 0;
  for (const MergedSlot& slot : theirs)
    for (const Variant& variant : slot.variants) {
      const auto at = there.find({slot.role, &variant});
      if (at == there.end() || at->second == 0) continue;
      --at->second;
      ++pairs;
      break;
    }
  return pairs;
}

/// For each of ours, whether it has a partner.
std::vector<bool> partnered(const MergedSlots& ours, const Partners& partners) {
  std::vector<bool> taken(ours.size(), false);
  for (const std::size_t i : partners)
    if (i != none) taken[i] = true;
  return taken;
}

/// The only unpaired turn of this role from `begin` to `end`; `none` if there is none or several.
template <class IsPaired>
std::size_t only_one_left(const MergedSlots& slots, Role role, std::size_t begin, std::size_t end,
                          IsPaired is_paired) {
  std::size_t only = none;
  for (std::size_t at = begin; at < end; ++at) {
    if (slots[at].role != role || is_paired(at)) continue;
    if (only != none) return none;
    only = at;
  }
  return only;
}

/// Between two neighbouring pairs, pairs two similar turns if each list has exactly one unpaired
/// turn of that role: two recognisers transcribed one utterance differently.
void pair_similar(const MergedSlots& ours, const MergedSlots& theirs, Comparable by,
                  Partners& partners) {
  const std::vector<bool> taken = partnered(ours, partners);
  const auto is_taken = [&taken](std::size_t at) { return taken[at]; };
  const auto is_partnered = [&partners](std::size_t at) { return partners[at] != none; };
  Anchors found;
  between(ours, theirs, partners,
          [&](std::size_t i, std::size_t our_end, std::size_t j, std::size_t their_end) {
            if (i == our_end || j == their_end) return;
            for (const Role role : {Role::user, Role::assistant, Role::system, Role::unknown}) {
              const std::size_t mine = only_one_left(ours, role, i, our_end, is_taken);
              const std::size_t other = only_one_left(theirs, role, j, their_end, is_partnered);
              if (mine == none || other == none) continue;
              const MergedSlot& a = ours[mine];
              const MergedSlot& b = theirs[other];
              if (!by.distinguishes(a, b) && compatible(a, b)) found.emplace_back(mine, other);
            }
          });
  for (const auto& [i, j] : found) partners[j] = i;
}

/// This many numbers take about as long to compare as two turns.
constexpr std::size_t chain_of_one_more = 16;

/// Removes pairs that are far out of order. A writer may place a late transcription behind its
/// answer, so a sentence can move across one turn. Across more turns, the same words are another
/// turn.
void drop_pairs_out_of_order(const FoundAnchors& anchors, Partners& partners, MergeWork& work) {
  const std::vector<std::size_t> chain = in_order(partners);
  std::vector<bool> ordered(partners.size(), false);
  for (const std::size_t j : chain) ordered[j] = true;
  for (std::size_t n = anchors.by_id; n < anchors.all.size(); ++n) {
    const auto& [i, j] = anchors.all[n];
    if (partners[j] != i || ordered[j]) continue;
    if (!work.take(1 + chain.size() / chain_of_one_more)) {
      partners[j] = none;
      continue;
    }
    const auto crossed =
        std::count_if(chain.begin(), chain.end(), [&, ours = i, theirs = j](std::size_t other) {
          return (other < theirs) != (partners[other] < ours);
        });
    if (crossed > 1) partners[j] = none;
  }
}

/// Uses the first `count` anchors as certain pairs.
void align_between(const MergedSlots& ours, const MergedSlots& theirs, const Anchors& anchors,
                   std::size_t count, Comparable by, Partners& partners, MergeWork& work) {
  std::vector<bool> taken = partnered(ours, partners);
  for (std::size_t n = 0; n < count; ++n) {
    const auto& [i, j] = anchors[n];
    if (partners[j] != none || taken[i] || by.distinguishes(ours[i], theirs[j])) continue;
    partners[j] = i;
    taken[i] = true;
  }
  const Partners certain = partners;
  between(ours, theirs, certain,
          [&](std::size_t i, std::size_t our_end, std::size_t j, std::size_t their_end) {
            pair_most(ours, {i, our_end}, theirs, {j, their_end}, by, partners, work);
          });
}

}  // namespace

bool ids_are_of_one_kind(const MergedSlots& ours, const MergedSlots& theirs) {
  if (std::all_of(theirs.begin(), theirs.end(),
                  [](const MergedSlot& slot) { return slot.ids.empty(); }))
    return false;
  std::unordered_set<std::string_view> known;
  for (const MergedSlot& slot : ours) known.insert(slot.ids.begin(), slot.ids.end());
  for (const MergedSlot& slot : theirs)
    for (const std::string_view id : slot.ids)
      if (known.contains(id)) return true;
  return false;
}

FoundAnchors find_anchors(const MergedSlots& ours, const MergedSlots& theirs,
                          bool ids_are_comparable, MergeWork& work) {
  FoundAnchors anchors;
  add_by_id(ours, theirs, anchors.all);
  anchors.by_id = anchors.all.size();
  std::vector<bool> anchored(theirs.size(), false);
  for (const auto& [i, j] : anchors.all) anchored[j] = true;
  DistinctiveWords words(theirs);
  words.look_for_among(ours);
  for (std::size_t j = 0; j < theirs.size(); ++j)
    for (const Variant& variant : theirs[j].variants) {
      if (anchored[j]) break;
      const std::size_t i = words.partner_of(theirs[j], variant);
      if (i == none || (ids_are_comparable && differ_in_id(ours[i], theirs[j]))) continue;
      anchors.all.emplace_back(i, j);
      anchored[j] = true;
    }
  add_cut_short(ours, theirs, ids_are_comparable, anchors.all, work);
  return anchors;
}

std::optional<Partners> find_among(const MergedSlots& ours, const MergedSlots& theirs,
                                   bool ids_are_comparable) {
  Partners partners;
  partners.reserve(theirs.size());
  std::size_t i = 0;
  for (const MergedSlot& slot : theirs) {
    const auto is_it = [&](const MergedSlot& other) {
      return is_the_same(other, slot, ids_are_comparable);
    };
    while (i < ours.size() && !is_it(ours[i])) ++i;
    if (i == ours.size()) return std::nullopt;
    partners.push_back(i++);
  }
  return partners;
}

void align_by_words(const MergedSlots& ours, const MergedSlots& theirs, const FoundAnchors& anchors,
                    Comparable by, Partners& partners, MergeWork& work) {
  if (std::find(partners.begin(), partners.end(), none) == partners.end()) return;
  Partners free = partners;
  align_between(ours, theirs, anchors.all, anchors.all.size(), by, partners, work);
  drop_pairs_out_of_order(anchors, partners, work);
  // A sentence that occurs once in each list can be two turns, of which each list lacks one. Then
  // more of the rest agrees without that pair.
  const std::size_t pairs = count_agreements(ours, theirs, partners);
  if (anchors.by_id < anchors.all.size() && pairs < theirs.size() &&
      pairs < most_pairs(ours, theirs)) {
    align_between(ours, theirs, anchors.all, anchors.by_id, by, free, work);
    if (count_agreements(ours, theirs, free) > pairs) partners = std::move(free);
  }
  pair_similar(ours, theirs, by, partners);
}

std::size_t count_agreements(const MergedSlots& ours, const MergedSlots& theirs,
                             const Partners& partners) {
  std::size_t count = 0;
  for (std::size_t j = 0; j < partners.size(); ++j)
    if (partners[j] != none && agree(ours[partners[j]], theirs[j])) ++count;
  return count;
}

std::vector<std::size_t> in_order(const Partners& partners) {
  std::vector<std::size_t> tails, previous(partners.size(), none);
  for (std::size_t j = 0; j < partners.size(); ++j) {
    if (partners[j] == none) continue;
    const auto at =
        std::lower_bound(tails.begin(), tails.end(), j,
                         [&](std::size_t a, std::size_t b) { return partners[a] < partners[b]; });
    if (at != tails.begin()) previous[j] = *(at - 1);
    if (at == tails.end())
      tails.push_back(j);
    else
      *at = j;
  }
  std::vector<std::size_t> chain;
  for (std::size_t j = tails.empty() ? none : tails.back(); j != none; j = previous[j])
    chain.push_back(j);
  std::reverse(chain.begin(), chain.end());
  return chain;
}

}  // namespace verbatim::transcript
