// Whether two lists of turns are numbered alike, up to a constant: then the numbers say which turn
// is which, and also which are not the same.
//
// Private to merge. Rules, with their reasons: docs/merge.md.
#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "session/slot.hpp"

namespace verbatim::session {

/// Pairs (of ours, of theirs) of which there can be no doubt.
using Anchors = std::vector<std::pair<std::size_t, std::size_t>>;

/// The first `by_id` of them share an id. The others have the same telling words, which stand once
/// in each list: almost no doubt, since each list may lack one of two turns that have these words.
struct FoundAnchors {
  Anchors all;
  std::size_t by_id = 0;
};

/// How well two numberings fit if theirs is shifted by a constant.
struct Fit {
  int shift = 0;
  std::size_t agreements = 0;
  std::size_t collisions = 0;      ///< numbers at which the two say something else
  std::size_t resemblances = 0;    ///< of the agreements: those whose words are not the same
  std::size_t contradictions = 0;  ///< the same telling words elsewhere
  std::size_t confirmations = 0;   ///< the same telling words, or an id, at the same number
  bool holds = false;
  Partners partners;
};

/// Turns by their number.
class PlaceIndex {
 public:
  explicit PlaceIndex(const Slots& slots);
  using Entry = std::pair<int, std::size_t>;
  /// The entries of this number.
  std::pair<const Entry*, const Entry*> at(int place) const;
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

class Numbering {
 public:
  /// `known_shift`: that of another copy by the same writer.
  Numbering(const Slots& ours, const Slots& theirs, bool ids_are_comparable,
            std::optional<int> known_shift);

  /// Both count from their own beginning, and each of theirs is, to the letter, what we have at
  /// its number.
  std::optional<Fit> of_what_we_have() const;

  /// nullopt: their numbers say nothing about ours. `by_words` pairs the two lists by their words
  /// alone and says how many pairs agree; `with_numbers` pairs what a fit leaves over and says how
  /// many agree then. Each is asked only if it matters.
  std::optional<Fit> best(const FoundAnchors& anchors, const std::function<std::size_t()>& by_words,
                          const std::function<std::size_t(const Fit&)>& with_numbers) const;

 private:
  bool needs_no_words(const Fit& fit) const;
  bool falls_before_the_first(int shift) const;
  std::vector<int> shifts_to_try(const FoundAnchors& anchors) const;
  Fit measure(int shift, const FoundAnchors& anchors) const;

  const Slots& ours_;
  const Slots& theirs_;
  PlaceIndex our_places_;
  PlaceIndex their_places_;
  bool comparable_ = false;
  bool ids_are_comparable_ = false;
  int likely_shift_ = 0;
  bool is_known_ = false;  ///< the likely shift
};

}  // namespace verbatim::session
