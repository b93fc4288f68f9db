#include "session/transcript/merge/alignment.hpp"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "session/transcript/merge/longest_pairing.hpp"
#include "session/transcript/merge/numbering.hpp"
#include "session/transcript/merge/word_alignment.hpp"

namespace verbatim::transcript {
namespace {

/// The pairs of the two lists, and the shift between their numbers if they are numbered alike.
struct Match {
  Partners partners;
  std::optional<int> shift;
};

bool has_numbers(const MergedSlots& slots) {
  return std::any_of(slots.begin(), slots.end(), [](const MergedSlot& slot) { return slot.place; });
}

/// For two different turns, whether theirs comes first: by number, else by start time, else so that
/// speakers alternate.
bool theirs_first(const MergedSlot& ours, const MergedSlot& theirs, Role last) {
  if (ours.place && theirs.place) return *theirs.place < *ours.place;
  if (ours.started_at && theirs.started_at && *ours.started_at != *theirs.started_at)
    return *theirs.started_at < *ours.started_at;
  return theirs.role != last && ours.role == last;
}

/// The usual case: the copy has nothing new, so no alignment is needed.
std::optional<Match> match_what_we_have(const Numbering& numbers, const MergedSlots& ours,
                                        const MergedSlots& theirs, bool ids) {
  if (auto fit = numbers.of_what_we_have()) return Match{std::move(fit->partners), fit->shift};
  if (has_numbers(theirs)) return std::nullopt;
  auto partners = find_among(ours, theirs, ids);
  if (!partners) return std::nullopt;
  return Match{std::move(*partners), std::nullopt};
}

/// In lists of this many turns, people repeat short phrases.
constexpr std::size_t enough_to_repeat = 9;

/// Pairs two lists by their words, or by a numbering and then by words.
class ByWords final : public PairingByWords {
 public:
  ByWords(const MergedSlots& ours, const MergedSlots& theirs, const FoundAnchors& anchors, bool ids,
          MergeWork& work)
      : ours_(ours), theirs_(theirs), anchors_(anchors), ids_(ids), work_(work) {}

  const Partners& partners() {
    if (!alone_) {
      alone_.emplace(theirs_.size(), none);
      align_by_words(ours_, theirs_, anchors_, {ids_, false}, *alone_, work_);
    }
    return *alone_;
  }
  /// Keeps a numbering's pairs and pairs the remaining turns by their words.
  Partners fill(const Fit& fit) {
    if (fit.agreements == theirs_.size()) return fit.partners;
    if (shifted_.empty()) shifted_ = theirs_;
    for (std::size_t j = 0; j < theirs_.size(); ++j)
      shifted_[j].place = *theirs_[j].place + fit.shift;
    Partners partners = fit.partners;
    align_by_words(ours_, shifted_, anchors_, {ids_, true}, partners, work_);
    return partners;
  }

  std::size_t count() override { return count_agreements(ours_, theirs_, partners()); }
  std::size_t count_with(const Fit& fit) override {
    return count_agreements(ours_, theirs_, fill(fit));
  }
  bool explain_more_beside(const Fit& fit) override {
    const auto& [first, last] = fit.confirmed;
    return explain_more({0, first.first}, {0, first.second}, fit) ||
           explain_more({last.first + 1, ours_.size()}, {last.second + 1, theirs_.size()}, fit);
  }
  bool leave_turns_of_both() override {
    const std::size_t in_both = std::min(count(), in_order(partners()).size());
    return in_both < std::min(ours_.size(), theirs_.size()) && !nothing_is_said_twice();
  }

 private:
  bool explain_more(Stretch of_ours, Stretch of_theirs, const Fit& fit) const {
    if (of_ours.begin == of_ours.end || of_theirs.begin == of_theirs.end) return false;
    Partners beside(theirs_.size(), none), numbered(theirs_.size(), none);
    for (std::size_t j = of_theirs.begin; j < of_theirs.end; ++j) numbered[j] = fit.partners[j];
    pair_most(ours_, of_ours, theirs_, of_theirs, {ids_, false}, beside, work_);
    if (relay_heard_any(of_ours) && lacks_any(beside, of_theirs)) return false;
    return count_agreements(ours_, theirs_, beside) > count_agreements(ours_, theirs_, numbered);
  }

  /// True if the lists are long enough and neither has the same words twice. Then the same words at
  /// another number are the same turn.
  bool nothing_is_said_twice() const {
    if (std::max(ours_.size(), theirs_.size()) < enough_to_repeat) return false;
    return says_nothing_twice(ours_) && says_nothing_twice(theirs_);
  }
  static bool says_nothing_twice(const MergedSlots& slots) {
    std::unordered_set<Spoken, SpokenHash> said;
    return std::all_of(slots.begin(), slots.end(), [&](const MergedSlot& slot) {
      return said.insert({slot.role, &slot.variants.front()}).second;
    });
  }

  /// True if the relay heard a part of this stretch. The relay misses no turn between two of its
  /// own. So it heard all of the stretch, or it stopped listening before and their turns came
  /// later.
  bool relay_heard_any(Stretch of_ours) const {
    for (std::size_t i = of_ours.begin; i < of_ours.end; ++i)
      if (ours_[i].heard != nullptr) return true;
    return false;
  }
  static bool lacks_any(const Partners& partners, Stretch stretch) {
    for (std::size_t j = stretch.begin; j < stretch.end; ++j)
      if (partners[j] == none) return true;
    return false;
  }

  const MergedSlots& ours_;
  const MergedSlots& theirs_;
  const FoundAnchors& anchors_;
  const bool ids_;
  MergeWork& work_;
  std::optional<Partners> alone_;
  MergedSlots shifted_;  ///< their turns with our numbers
};

Match match(const MergedSlots& ours, const MergedSlots& theirs, std::optional<int> known_shift,
            MergeWork& work) {
  const bool ids = ids_are_of_one_kind(ours, theirs);
  const Numbering numbers(ours, theirs, ids, known_shift, work);
  if (auto all = match_what_we_have(numbers, ours, theirs, ids)) return std::move(*all);

  const FoundAnchors anchors = find_anchors(ours, theirs, ids, work);
  ByWords words(ours, theirs, anchors, ids, work);
  if (const auto fit = numbers.best(anchors, words)) return {words.fill(*fit), fit->shift};
  return {words.partners(), std::nullopt};
}

/// Both lists as one. A turn with a partner becomes part of it; the others keep the order of their
/// own list.
MergedSlots interleaved(MergedSlots ours, MergedSlots theirs, const Partners& partners) {
  MergedSlots all;
  all.reserve(ours.size() + theirs.size());
  Role last = Role::unknown;
  const auto add = [&](MergedSlot& slot) {
    last = slot.role;
    all.push_back(std::move(slot));
  };
  std::vector<std::size_t> place_of_ours(ours.size());
  between(ours, theirs, partners,
          [&](std::size_t i, std::size_t our_end, std::size_t j, std::size_t their_end) {
            const auto pass_paired = [&] {
              while (j < their_end && partners[j] != none) ++j;
            };
            pass_paired();
            while (i < our_end || j < their_end) {
              if (i == our_end || (j < their_end && theirs_first(ours[i], theirs[j], last))) {
                add(theirs[j++]);
              } else {
                place_of_ours[i] = all.size();
                add(ours[i++]);
              }
              pass_paired();
            }
            if (our_end == ours.size()) return;
            place_of_ours[our_end] = all.size();
            add(ours[our_end]);
          });
  for (std::size_t j = 0; j < theirs.size(); ++j)
    if (partners[j] != none) absorb(all[place_of_ours[partners[j]]], std::move(theirs[j]));
  return all;
}

}  // namespace

std::uint64_t work_of_joining(const MergedSlots& ours, const MergedSlots& theirs) {
  constexpr std::uint64_t each = 8;  // each turn takes some table look-ups
  return each * (size_of(ours) + size_of(theirs));
}

std::optional<int> join(MergedSlots& ours, MergedSlots&& theirs, std::optional<int> known_shift,
                        MergeWork& work) {
  if (ours.empty()) {
    ours = std::move(theirs);
    return 0;
  }
  const Match found = match(ours, theirs, known_shift, work);
  const Partners& partners = found.partners;
  const bool we_have_numbers = has_numbers(ours);
  for (MergedSlot& slot : theirs) {
    if (found.shift)
      *slot.place += *found.shift;
    else if (we_have_numbers)
      slot.place.reset();  // without a shift, its number would claim an unknown position
  }
  if (std::find(partners.begin(), partners.end(), none) == partners.end()) {
    for (std::size_t j = 0; j < theirs.size(); ++j) absorb(ours[partners[j]], std::move(theirs[j]));
    return found.shift;
  }
  ours = interleaved(std::move(ours), std::move(theirs), partners);
  return found.shift;
}

}  // namespace verbatim::transcript
