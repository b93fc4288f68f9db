#include "session/alignment.hpp"

#include <algorithm>
#include <utility>

#include "session/numbering.hpp"
#include "session/word_alignment.hpp"

namespace verbatim::session {
namespace {

/// Which of theirs is which of ours, and, where the two are numbered alike, by which shift.
struct Match {
  Partners partners;
  std::optional<int> shift;
};

bool has_numbers(const Slots& slots) {
  return std::any_of(slots.begin(), slots.end(), [](const Slot& slot) { return slot.place; });
}

/// Of two that are not the same, which comes first: by number, else by time, else so that people
/// take turns.
bool theirs_first(const Slot& ours, const Slot& theirs, Role last) {
  if (ours.place && theirs.place) return *theirs.place < *ours.place;
  if (ours.started_at && theirs.started_at && *ours.started_at != *theirs.started_at)
    return *theirs.started_at < *ours.started_at;
  return theirs.role != last && ours.role == last;
}

/// Where a copy has nothing new, which is the rule, and nothing needs to be weighed.
std::optional<Match> match_what_we_have(const Numbering& numbers, const Slots& ours,
                                        const Slots& theirs, bool ids) {
  if (auto fit = numbers.of_what_we_have()) return Match{std::move(fit->partners), fit->shift};
  if (has_numbers(theirs)) return std::nullopt;
  auto partners = find_among(ours, theirs, ids);
  if (!partners) return std::nullopt;
  return Match{std::move(*partners), std::nullopt};
}

Match match(const Slots& ours, const Slots& theirs, std::optional<int> known_shift) {
  const bool ids = ids_are_of_one_kind(ours, theirs);
  const Numbering numbers(ours, theirs, ids, known_shift);
  if (auto all = match_what_we_have(numbers, ours, theirs, ids)) return std::move(*all);

  const FoundAnchors anchors = find_anchors(ours, theirs, ids);
  std::optional<Partners> worded;
  const auto by_words = [&] {
    worded.emplace(theirs.size(), none);
    align_by_words(ours, theirs, anchors, {ids, false}, *worded);
    return count_agreements(ours, theirs, *worded);
  };
  Slots shifted;  // theirs, renumbered as ours
  const auto fill = [&](const Fit& fit) {
    if (fit.agreements == theirs.size()) return fit.partners;
    if (shifted.empty()) shifted = theirs;
    for (std::size_t j = 0; j < theirs.size(); ++j) shifted[j].place = *theirs[j].place + fit.shift;
    Partners partners = fit.partners;
    align_by_words(ours, shifted, anchors, {ids, true}, partners);
    return partners;
  };
  const auto with_numbers = [&](const Fit& fit) {
    return count_agreements(ours, theirs, fill(fit));
  };
  if (const auto fit = numbers.best(anchors, by_words, with_numbers))
    return {fill(*fit), fit->shift};
  if (!worded) by_words();
  return {std::move(*worded), std::nullopt};
}

}  // namespace

std::optional<int> join(Slots& ours, Slots&& theirs, std::optional<int> known_shift) {
  if (ours.empty()) {
    ours = std::move(theirs);
    return 0;
  }
  const Match found = match(ours, theirs, known_shift);
  const Partners& partners = found.partners;
  const bool we_have_numbers = has_numbers(ours);
  for (Slot& slot : theirs) {
    if (found.shift)
      *slot.place += *found.shift;
    else if (we_have_numbers)
      slot.place.reset();  // a number among others would say what nobody knows
  }
  if (std::find(partners.begin(), partners.end(), none) == partners.end()) {
    for (std::size_t j = 0; j < theirs.size(); ++j) absorb(ours[partners[j]], std::move(theirs[j]));
    return found.shift;
  }

  Slots all;
  all.reserve(ours.size() + theirs.size());
  Role last = Role::unknown;
  const auto add = [&](Slot& slot) {
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
  ours = std::move(all);
  return found.shift;
}

}  // namespace verbatim::session
