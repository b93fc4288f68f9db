// A turn of a conversation while copies are merged: what each writer has for it, and whether two
// such turns can be the same one.
//
// Private to merge. A slot refers to the turns that it is made of, and to the spellings of their
// texts; both outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session/transcript/merge/spelling.hpp"
#include "session/transcript/turn.hpp"

namespace verbatim::session {

/// People say "yes" and "thank you" again and again; a sentence of this length seldom.
inline constexpr std::size_t telling_length = 12;

/// One version of a turn's words, and the writers who have exactly this version.
class Variant {
 public:
  using Source = std::uint32_t;  ///< 0: the relay, else a copy

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
  /// Cut short: neither completed nor talked over.
  bool is_partial() const {
    return status != TurnStatus::completed && status != TurnStatus::truncated;
  }

 private:
  const Spelling* spelling_;
};

/// What a speaker says, as the key of a table.
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
  std::optional<int> place;  ///< in the numbering of the list it is in; not all need one
  std::vector<Variant> variants;
  std::optional<TimeMs> started_at;
  std::optional<TimeMs> ended_at;
  const Turn* heard = nullptr;  ///< the relay's own turn

  bool has_id(std::string_view id) const;
};
using MergedSlots = std::vector<MergedSlot>;

/// One turn said twice: one slot.
void absorb(MergedSlot& ours, MergedSlot&& theirs);

bool same_role(const MergedSlot& a, const MergedSlot& b);
/// Both have ids, and none in common. Means something only if they are of the same kind.
bool differ_in_id(const MergedSlot& a, const MergedSlot& b);
/// They stand at the same place, by the same role: can it be the same turn?
bool compatible(const MergedSlot& ours, const MergedSlot& theirs);
/// What compatible() costs at most, as MergeWork counts it.
std::uint64_t work_of_comparing(const MergedSlot& ours, const MergedSlot& theirs);
/// How much a slot has to look through.
inline std::size_t size_of(const MergedSlot& slot) {
  return 1 + slot.variants.size() + slot.ids.size();
}
std::size_t size_of(const MergedSlots& slots);
/// They have the same words, or the words of one go on where the other was cut short. More than
/// compatible(): this says that they are the same turn, if the order does.
bool agree(const MergedSlot& ours, const MergedSlot& theirs);
/// They are the same to the letter, and by their ids where theirs has one that can be compared.
bool is_the_same(const MergedSlot& ours, const MergedSlot& theirs, bool ids_are_comparable);

/// What of two turns can be compared beside their words.
struct Comparable {
  bool ids = false;
  bool numbers = false;

  bool tells_apart(const MergedSlot& ours, const MergedSlot& theirs) const {
    if (ids && differ_in_id(ours, theirs)) return true;
    return numbers && ours.place && theirs.place && *ours.place != *theirs.place;
  }
};

/// Of each of theirs: the index of ours that is the same turn, or `none`.
using Partners = std::vector<std::size_t>;
inline constexpr std::size_t none = static_cast<std::size_t>(-1);

}  // namespace verbatim::session
