// One turn of a conversation during a merge: each writer's version of it, and the comparison of two
// such turns. In all of merge, `ours` is the list merged so far and `theirs` the list of the next
// copy.
//
// Private to merge; one thread. A slot refers to its original turns and their spellings; both must
// outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session/transcript/merge/spelling.hpp"
#include "session/transcript/turn.hpp"

namespace verbatim::transcript {

/// Words of at least this many bytes are distinctive: people repeat "yes" and "thank you", but
/// seldom a whole sentence.
inline constexpr std::size_t distinctive_length = 12;

/// One version of a turn's text, and the sources that have exactly this version.
class Variant {
 public:
  using Source = std::uint32_t;  ///< 0: the relay; else the number of a copy

  Variant(Source source, TurnStatus of, const Spelling& spelling)
      : sources{source}, status(of), spelling_(&spelling) {}

  std::vector<Source> sources;
  TurnStatus status;

  const Text& text() const { return spelling_->text(); }
  const std::string& words() const { return spelling_->words(); }
  std::size_t hash() const { return spelling_->hash(); }

  bool has_same_text(const Variant& other) const { return spelling_ == other.spelling_; }
  bool has_same_words(const Variant& other) const {
    return has_same_text(other) || (hash() == other.hash() && words() == other.words());
  }
  bool is_same_version(const Variant& other) const {
    return status == other.status && has_same_text(other);
  }
  /// Cut short: neither completed nor talked over by the user.
  bool is_partial() const {
    return status != TurnStatus::completed && status != TurnStatus::truncated;
  }

 private:
  const Spelling* spelling_;
};

/// A speaker and words, as the key of a table.
struct Spoken {
  Role role;
  const Variant* variant;

  friend bool operator==(const Spoken& a, const Spoken& b) {
    return a.role == b.role && a.variant->has_same_words(*b.variant);
  }
};
struct SpokenHash {
  std::size_t operator()(const Spoken& spoken) const {
    return spoken.variant->hash() + static_cast<std::size_t>(spoken.role);
  }
};

struct MergedSlot {
  Role role = Role::unknown;
  std::vector<std::string_view> ids;
  std::optional<int> place;  ///< number in the list that contains the slot, if it has one
  std::vector<Variant> variants;
  std::optional<TimeMs> started_at;
  std::optional<TimeMs> ended_at;
  const Turn* heard = nullptr;  ///< the relay's own turn, if it has one

  bool has_id(std::string_view id) const;
};
using MergedSlots = std::vector<MergedSlot>;

/// Merges two slots of the same turn into one.
void absorb(MergedSlot& ours, MergedSlot&& theirs);

bool same_role(const MergedSlot& a, const MergedSlot& b);
/// Both have ids, but none in common. Meaningful only for ids of the same kind.
bool differ_in_id(const MergedSlot& a, const MergedSlot& b);
/// True if two slots at the same position and with the same role can be the same turn.
bool compatible(const MergedSlot& ours, const MergedSlot& theirs);
/// Upper bound on the cost of compatible(), in units of MergeWork.
std::uint64_t work_of_comparing(const MergedSlot& ours, const MergedSlot& theirs);
/// Number of entries to search in a slot.
inline std::size_t size_of(const MergedSlot& slot) {
  return 1 + slot.variants.size() + slot.ids.size();
}
std::size_t size_of(const MergedSlots& slots);
/// The words are equal, or one continues the other where that was cut short. Stronger than
/// compatible(): they are the same turn if the order allows it.
bool agree(const MergedSlot& ours, const MergedSlot& theirs);
/// Role and text are equal, and so is the id if `theirs` has a comparable one.
bool is_the_same(const MergedSlot& ours, const MergedSlot& theirs, bool ids_are_comparable);

/// The properties of two turns that can be compared besides their words.
struct Comparable {
  bool ids = false;
  bool numbers = false;

  bool distinguishes(const MergedSlot& ours, const MergedSlot& theirs) const {
    if (ids && differ_in_id(ours, theirs)) return true;
    return numbers && ours.place && theirs.place && *ours.place != *theirs.place;
  }
};

/// For each of their slots: the index of our slot with the same turn, or `none`.
using Partners = std::vector<std::size_t>;
inline constexpr std::size_t none = static_cast<std::size_t>(-1);

}  // namespace verbatim::transcript
