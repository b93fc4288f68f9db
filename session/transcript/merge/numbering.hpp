// Whether two lists of turns are numbered alike, up to a constant: then the numbers say which turn
// is which, and also which are not the same.
//
// Private to merge. Rules, with their reasons: docs/merge.md.
#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "session/transcript/merge/merge_work.hpp"
#include "session/transcript/merge/slot.hpp"

namespace verbatim::session {

/// Pairs (of ours, of theirs) of which there can be no doubt.
using Anchors = std::vector<std::pair<std::size_t, std::size_t>>;

/// The first `by_id` of them share an id. The others have the same telling words, which stand once
/// in each list: almost no doubt, since each list may lack one of two turns that have these words.
struct FoundAnchors {
  Anchors all;
  std::size_t by_id = 0;
};

/// A stretch of pairs, from the first to the last: (of ours, of theirs).
struct Span {
  std::pair<std::size_t, std::size_t> first;
  std::pair<std::size_t, std::size_t> last;
};

/// How well two numberings fit if theirs is shifted by a constant.
struct Fit {
  int shift = 0;
  std::size_t agreements = 0;
  std::size_t collisions = 0;      ///< numbers at which the two say something else
  std::size_t resemblances = 0;    ///< of the agreements: those whose words are not the same
  std::size_t contradictions = 0;  ///< the same telling words elsewhere
  std::size_t confirmations = 0;   ///< the same telling words, or an id, at the same number
  Span confirmed;                  ///< from the first confirmation to the last, if there are any
  bool holds = false;
  Partners partners;
};

/// Turns by their number.
class PlaceIndex {
 public:
  explicit PlaceIndex(const MergedSlots& slots);
  using Entry = std::pair<int, std::size_t>;
  /// The entries of this number.
  std::pair<const Entry*, const Entry*> at(int place) const;
  const std::vector<Entry>& entries() const { return entries_; }
  bool empty() const { return entries_.empty(); }
  int first() const { return entries_.front().first; }
  int last() const { return entries_.back().first; }
  std::size_t size() const { return entries_.size(); }
  /// Else it counts on one by one from wherever it begins.
  bool has_holes() const { return holes_; }
  /// Some give a question and its answer one number.
  bool roles_share() const { return roles_share_; }

 private:
  std::vector<Entry> entries_;
  bool holes_ = false;
  bool roles_share_ = false;
};

/// What the words say, against which a numbering is weighed. Each is asked only if it matters.
class PairingByWords {
 public:
  virtual ~PairingByWords() = default;
  /// Pairs that agree if the two lists are paired by their words alone.
  virtual std::size_t count() = 0;
  /// Pairs that agree if a numbering's pairs are kept and the words pair what it leaves over.
  virtual std::size_t count_with(const Fit& fit) = 0;
  /// Before what sentences confirm, or behind it, more turns agree by their words than by number.
  virtual bool explain_more_beside(const Fit& fit) = 0;
  /// Each list has turns that the words find nowhere in the other: neither is merely a part of it.
  virtual bool leave_turns_of_both() = 0;
};

class Numbering {
 public:
  /// `known_shift`: that of another copy by the same writer.
  Numbering(const MergedSlots& ours, const MergedSlots& theirs, bool ids_are_comparable,
            std::optional<int> known_shift, MergeWork& work);

  /// Both count from their own beginning, and each of theirs is, to the letter, what we have at
  /// its number.
  std::optional<Fit> of_what_we_have() const;

  /// nullopt: their numbers say nothing about ours.
  std::optional<Fit> best(const FoundAnchors& anchors, PairingByWords& words) const;

 private:
  bool is_certain(const Fit& fit) const;
  bool is_confirmed(const Fit& fit) const;
  bool name_places_alike(const Fit& fit) const;
  bool keep_turns_alike(const Fit& fit) const;
  bool goes_on(const Fit& fit) const;
  bool is_undisputed(const Fit& fit) const;
  bool is_refuted(const Fit& fit, std::size_t pairs, PairingByWords& words) const;
  bool falls_before_the_first(int shift) const;
  std::vector<int> shifts_to_try(const FoundAnchors& anchors) const;
  Fit measure(int shift, const FoundAnchors& anchors) const;

  const MergedSlots& ours_;
  const MergedSlots& theirs_;
  MergeWork& work_;
  PlaceIndex our_places_;
  PlaceIndex their_places_;
  bool comparable_ = false;
  bool ids_are_comparable_ = false;
  int likely_shift_ = 0;
  bool is_known_ = false;  ///< the likely shift
};

}  // namespace verbatim::session
