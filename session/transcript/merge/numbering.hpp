// Finds out whether two lists of turns have the same numbering, up to a constant shift. If so,
// equal numbers mean the same turn, and different numbers mean different turns.
//
// Private to merge; one thread. Rules with their reasons: docs/merge.md.
#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "session/transcript/merge/merge_work.hpp"
#include "session/transcript/merge/slot.hpp"

namespace verbatim::transcript {

/// Pairs (index in ours, index in theirs) of turns that are certainly the same.
using Anchors = std::vector<std::pair<std::size_t, std::size_t>>;

/// The first `by_id` anchors share an id. The others share distinctive words that occur once in
/// each list. These are almost certain: each list may lack one of two turns with the same words.
struct FoundAnchors {
  Anchors all;
  std::size_t by_id = 0;
};

/// A range of pairs, from the first to the last: (index in ours, index in theirs).
struct Span {
  std::pair<std::size_t, std::size_t> first;
  std::pair<std::size_t, std::size_t> last;
};

/// How well two numberings fit with a constant shift of theirs.
struct Fit {
  int shift = 0;
  std::size_t agreements = 0;
  std::size_t collisions = 0;      ///< numbers at which the two have different words
  std::size_t resemblances = 0;    ///< agreements whose words are similar and not equal
  std::size_t contradictions = 0;  ///< the same distinctive words at different numbers
  std::size_t confirmations = 0;   ///< the same distinctive words or id at the same number
  Span confirmed;                  ///< from the first confirmation to the last, if there are any
  bool holds = false;
  Partners partners;
};

/// Look-up of turns by their number.
class PlaceIndex {
 public:
  explicit PlaceIndex(const MergedSlots& slots);
  using Entry = std::pair<int, std::size_t>;
  /// The entries with this number.
  std::pair<const Entry*, const Entry*> at(int place) const;
  const std::vector<Entry>& entries() const { return entries_; }
  bool empty() const { return entries_.empty(); }
  int first() const { return entries_.front().first; }
  int last() const { return entries_.back().first; }
  std::size_t size() const { return entries_.size(); }
  /// True if a number between the first and the last is missing.
  bool has_holes() const { return holes_; }
  /// True if two roles share a number: some writers give a question and its answer one number.
  bool roles_share() const { return roles_share_; }

 private:
  std::vector<Entry> entries_;
  bool holes_ = false;
  bool roles_share_ = false;
};

/// Results of pairing by words, to be weighed against a numbering. Each is computed only if needed.
class PairingByWords {
 public:
  virtual ~PairingByWords() = default;
  /// Agreeing pairs if the two lists are paired by words alone.
  virtual std::size_t count() = 0;
  /// Agreeing pairs if the numbering's pairs are kept and words pair the remaining turns.
  virtual std::size_t count_with(const Fit& fit) = 0;
  /// True if, outside the range of confirmations, more turns agree by words than by number.
  virtual bool explain_more_beside(const Fit& fit) = 0;
  /// True if each list has turns whose words the other lacks: neither is merely a part of the
  /// other.
  virtual bool leave_turns_of_both() = 0;
};

class Numbering {
 public:
  /// - `ids_are_comparable`: the ids of both lists are of the same kind.
  /// - `known_shift`: the shift of another copy by the same writer, if known.
  /// - `work`: the budget of the merge.
  Numbering(const MergedSlots& ours, const MergedSlots& theirs, bool ids_are_comparable,
            std::optional<int> known_shift, MergeWork& work);

  /// The fit if both lists count from their own beginning and each of their turns equals ours at
  /// its number; else nullopt.
  std::optional<Fit> of_what_we_have() const;

  /// The best fit; nullopt: their numbers say nothing about ours.
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
  bool weigh_anchors(const FoundAnchors& anchors, Fit& fit) const;
  bool pair_by_number(Fit& fit) const;
  /// Our turn at the number of one of theirs.
  struct Counterpart {
    bool exists = false;         ///< a turn that may be theirs or contradict it
    std::size_t partner = none;  ///< the turn that is theirs
  };
  std::optional<Counterpart> counterpart_of(const MergedSlot& slot, int place,
                                            const std::vector<bool>& taken) const;

  const MergedSlots& ours_;
  const MergedSlots& theirs_;
  MergeWork& work_;
  PlaceIndex our_places_;
  PlaceIndex their_places_;
  bool comparable_ = false;
  bool ids_are_comparable_ = false;
  int likely_shift_ = 0;
  bool is_known_ = false;  ///< true: the likely shift is known from another copy
};

}  // namespace verbatim::transcript
