#include "session/transcript/merge/numbering.hpp"

#include <algorithm>
#include <cstdlib>

namespace verbatim::transcript {
namespace {

/// The number with which a list presumably began: some writers count from 0, some from 1. A list
/// with a higher first number lacks the turns before it.
int beginning_of(const PlaceIndex& places) { return std::min(places.first(), 1); }

/// True if the list may have numbered only the turns that it has: no hole and a start at 0 or 1.
bool may_count_what_it_has(const PlaceIndex& places) {
  return !places.has_holes() && places.first() <= 1;
}

/// True if one speaker has the odd numbers and the other the even ones.
bool takes_turns(const PlaceIndex& places, const MergedSlots& slots) {
  std::optional<Role> of[2];
  for (const auto& [place, at] : places.entries()) {
    auto& speaker = of[place & 1];
    if (speaker && *speaker != slots[at].role) return false;
    speaker = slots[at].role;
  }
  return of[0] && of[1] && *of[0] != *of[1];
}

void extend(Span& span, const std::pair<std::size_t, std::size_t>& pair, bool is_first) {
  if (is_first) span = {pair, pair};
  if (pair.second < span.first.second) span.first = pair;
  if (pair.second > span.last.second) span.last = pair;
}

}  // namespace

PlaceIndex::PlaceIndex(const MergedSlots& slots) {
  entries_.reserve(slots.size());
  for (std::size_t i = 0; i < slots.size(); ++i)
    if (slots[i].place) entries_.emplace_back(*slots[i].place, i);
  if (!std::is_sorted(entries_.begin(), entries_.end()))
    std::sort(entries_.begin(), entries_.end());
  for (std::size_t i = 1; i < entries_.size(); ++i) {
    const auto [before, earlier] = entries_[i - 1];
    const auto [place, later] = entries_[i];
    holes_ |= place - before > 1;
    roles_share_ |= place == before && slots[earlier].role != slots[later].role;
  }
}

std::pair<const PlaceIndex::Entry*, const PlaceIndex::Entry*> PlaceIndex::at(int place) const {
  const Entry* const begin = entries_.data();
  const Entry* const end = begin + entries_.size();
  const auto before = [](const Entry& entry, int number) { return entry.first < number; };
  const Entry* const first = std::lower_bound(begin, end, place, before);
  const auto behind = [](int number, const Entry& entry) { return number < entry.first; };
  return {first, std::upper_bound(first, end, place, behind)};
}

Numbering::Numbering(const MergedSlots& ours, const MergedSlots& theirs, bool ids_are_comparable,
                     std::optional<int> known_shift, MergeWork& work)
    : ours_(ours),
      theirs_(theirs),
      work_(work),
      our_places_(ours),
      their_places_(theirs),
      comparable_(!our_places_.empty() && !theirs.empty() && their_places_.size() == theirs.size()),
      ids_are_comparable_(ids_are_comparable) {
  if (!comparable_) return;
  // Without other knowledge, assume that both count from the beginning of the conversation.
  likely_shift_ = known_shift.value_or(beginning_of(our_places_) - beginning_of(their_places_));
  is_known_ = known_shift.has_value();
}

std::optional<Fit> Numbering::of_what_we_have() const {
  if (!comparable_) return std::nullopt;
  Fit fit;
  fit.shift = likely_shift_;
  fit.partners.assign(theirs_.size(), none);
  std::vector<bool> taken(ours_.size(), false);
  for (std::size_t j = 0; j < theirs_.size(); ++j) {
    const auto [first, last] = our_places_.at(*theirs_[j].place + fit.shift);
    for (const auto* at = first; at != last && fit.partners[j] == none; ++at) {
      if (!work_.take(1)) return std::nullopt;
      if (taken[at->second] || !is_the_same(ours_[at->second], theirs_[j], ids_are_comparable_))
        continue;
      fit.partners[j] = at->second;
      taken[at->second] = true;
    }
    if (fit.partners[j] == none) return std::nullopt;
  }
  fit.agreements = theirs_.size();
  fit.holds = true;
  return fit;
}

std::optional<Fit> Numbering::best(const FoundAnchors& anchors, PairingByWords& words) const {
  if (!comparable_) return std::nullopt;
  std::optional<Fit> best;
  std::size_t most = 0;
  for (const int shift : shifts_to_try(anchors)) {
    Fit fit = measure(shift, anchors);
    if (!fit.holds) continue;
    if (is_certain(fit)) return fit;
    if (is_confirmed(fit) && (keep_turns_alike(fit) || !words.explain_more_beside(fit))) return fit;
    if (name_places_alike(fit) && words.leave_turns_of_both()) return fit;
    const std::size_t pairs = words.count_with(fit);
    if (is_refuted(fit, pairs, words) || (best && pairs <= most)) continue;
    most = pairs;
    best = std::move(fit);
  }
  return best;
}

/// The writer's numbering is known from another copy, and nothing contradicts it.
bool Numbering::is_certain(const Fit& fit) const {
  return is_known_ && fit.shift == likely_shift_ && is_undisputed(fit);
}

/// No turn contradicts another at the same number, and each of ours has a number.
bool Numbering::is_undisputed(const Fit& fit) const {
  return fit.collisions == 0 && our_places_.size() == ours_.size();
}

/// The same sentences have the same numbers. Between the first and the last of them, neither list
/// counts a turn that the other does not count; otherwise the later numbers would be shifted.
bool Numbering::is_confirmed(const Fit& fit) const {
  // One sentence is enough if both count from the beginning. A different beginning needs more
  // evidence, since a sentence may have been said twice.
  const std::size_t enough = std::abs(fit.shift) <= 1 ? 1 : 3;
  return is_undisputed(fit) && fit.contradictions == 0 && fit.confirmations >= enough;
}

/// Both begin at the same number and both have holes, so neither merely counts its own turns.
bool Numbering::name_places_alike(const Fit& fit) const {
  return is_undisputed(fit) && fit.shift == likely_shift_ && our_places_.first() <= 1 &&
         their_places_.first() + fit.shift == our_places_.first() && our_places_.has_holes() &&
         their_places_.has_holes();
}

/// In both lists, one speaker has the odd numbers and the other the even ones, with or without
/// holes. So the holes are turns; if a list counted other things too, the sides would change.
bool Numbering::keep_turns_alike(const Fit& fit) const {
  return name_places_alike(fit) && takes_turns(our_places_, ours_) &&
         takes_turns(their_places_, theirs_);
}

/// One list begins where the other ends: a copy that was posted in parts.
bool Numbering::goes_on(const Fit& fit) const {
  if (!is_undisputed(fit) || fit.shift != likely_shift_ || fit.resemblances > 0) return false;
  const int first = their_places_.first() + fit.shift;
  const int last = their_places_.last() + fit.shift;
  return (!their_places_.has_holes() && first > 1 && first <= our_places_.last() + 1) ||
         (!our_places_.has_holes() && our_places_.first() > 1 && last >= our_places_.first() - 1);
}

/// True if a pairing by words alone explains more turns than the numbering does.
bool Numbering::is_refuted(const Fit& fit, std::size_t pairs, PairingByWords& words) const {
  const std::size_t by_words = words.count();
  if (pairs >= by_words) return false;
  // A list that continues the other repeats some of its words. The same turns under other numbers
  // repeat most of them.
  return !goes_on(fit) || by_words * 2 > std::min(ours_.size(), theirs_.size());
}

/// True if the shift puts a turn before the beginning of our list, where no turn can be.
bool Numbering::falls_before_the_first(int shift) const {
  if (is_known_ && shift == likely_shift_) return false;
  const int beginning = may_count_what_it_has(our_places_) ? our_places_.first() : 0;
  return their_places_.first() + shift < beginning;
}

std::vector<int> Numbering::shifts_to_try(const FoundAnchors& anchors) const {
  std::vector<int> shifts = {likely_shift_};
  const auto add = [&](int shift) {
    if (std::find(shifts.begin(), shifts.end(), shift) == shifts.end()) shifts.push_back(shift);
  };
  for (const int shift : {0, 1, -1}) add(shift);
  for (const auto& [i, j] : anchors.all) {
    if (!ours_[i].place) continue;
    add(*ours_[i].place - *theirs_[j].place);
    if (shifts.size() > 8) break;  // the shift is not constant
  }
  return shifts;
}

/// Counts the anchors that the shift confirms or contradicts. False: they refute it.
bool Numbering::weigh_anchors(const FoundAnchors& anchors, Fit& fit) const {
  for (std::size_t n = 0; n < anchors.all.size(); ++n) {
    const auto& [i, j] = anchors.all[n];
    if (!ours_[i].place) continue;
    const bool agrees = *ours_[i].place == *theirs_[j].place + fit.shift;
    if (!agrees && n < anchors.by_id) return false;
    if (agrees) extend(fit.confirmed, anchors.all[n], fit.confirmations == 0);
    ++(agrees ? fit.confirmations : fit.contradictions);
  }
  return fit.contradictions * 2 <= theirs_.size();
}

/// nullopt: the work is used up.
std::optional<Numbering::Counterpart> Numbering::counterpart_of(
    const MergedSlot& slot, int place, const std::vector<bool>& taken) const {
  const bool roles_share = our_places_.roles_share() || their_places_.roles_share();
  Counterpart found;
  const auto [first, last] = our_places_.at(place);
  for (const auto* at = first; at != last; ++at) {
    const MergedSlot& ours = ours_[at->second];
    if (!work_.take(work_of_comparing(ours, slot))) return std::nullopt;
    if (roles_share && ours.role != slot.role) continue;
    found.exists = true;
    if (taken[at->second] || !compatible(ours, slot)) continue;
    if (ids_are_comparable_ && differ_in_id(ours, slot)) continue;
    found.partner = at->second;
    return found;
  }
  return found;
}

/// Pairs their turns with ours at the same number. False: too many contradict each other, or the
/// work is used up.
bool Numbering::pair_by_number(Fit& fit) const {
  fit.partners.assign(theirs_.size(), none);
  std::vector<bool> taken(ours_.size(), false);
  for (std::size_t j = 0; j < theirs_.size(); ++j) {
    const auto found = counterpart_of(theirs_[j], *theirs_[j].place + fit.shift, taken);
    if (!found) return false;
    fit.partners[j] = found->partner;
    if (found->partner == none) {
      if (found->exists && ++fit.collisions * 10 > theirs_.size()) return false;
      continue;
    }
    taken[found->partner] = true;
    ++fit.agreements;
    if (!agree(ours_[found->partner], theirs_[j])) ++fit.resemblances;
  }
  return true;
}

Fit Numbering::measure(int shift, const FoundAnchors& anchors) const {
  Fit fit;
  fit.shift = shift;
  if (falls_before_the_first(shift)) return fit;
  if (!weigh_anchors(anchors, fit) || !pair_by_number(fit)) return fit;
  // One utterance that two recognisers transcribed differently does not refute the rest. Neither
  // does a sentence that was said twice and that each list has once, if everything else agrees.
  fit.holds = fit.contradictions == 0 ? fit.collisions * 10 <= fit.agreements
                                      : fit.collisions == 0 && fit.contradictions < fit.agreements;
  return fit;
}

}  // namespace verbatim::transcript
