#include "session/transcript/merge/merge.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "session/transcript/merge/alignment.hpp"
#include "session/transcript/merge/text_similarity.hpp"
#include "session/transcript/merge/unaligned.hpp"

namespace verbatim::transcript {
namespace {

constexpr Variant::Source relay_source = 0;
constexpr std::size_t role_count = 4;

bool is_whole(TurnStatus status) {
  return status == TurnStatus::completed || status == TurnStatus::truncated;
}

auto fields(const CopyTurn& turn) {
  return std::tie(turn.ordinal, turn.item_id, turn.role, turn.status, turn.text.wtf8(),
                  turn.started_at, turn.ended_at);
}

/// An order of copies that depends only on their content. The longest comes first: the others are
/// most likely parts of it.
bool comes_before(const Copy& a, const Copy& b) {
  if (a.turns.size() != b.turns.size()) return a.turns.size() > b.turns.size();
  if (a.writer != b.writer) return a.writer < b.writer;
  return std::lexicographical_compare(
      a.turns.begin(), a.turns.end(), b.turns.begin(), b.turns.end(),
      [](const CopyTurn& x, const CopyTurn& y) { return fields(x) < fields(y); });
}

MergedSlots slots_of(const FinalTranscript& relay, Spellings& spellings) {
  MergedSlots slots;
  slots.reserve(relay.turns.size());
  for (const Turn& turn : relay.turns) {
    MergedSlot& slot = slots.emplace_back();
    slot.role = turn.role;
    if (!turn.item_id.empty()) slot.ids.push_back(turn.item_id);
    slot.place = static_cast<int>(slots.size());
    slot.started_at = turn.started_at;
    slot.ended_at = turn.ended_at;
    slot.heard = &turn;
    slot.variants.emplace_back(relay_source, turn.status, spellings.of(turn.text));
  }
  return slots;
}

MergedSlot slot_of(const CopyTurn& turn, Variant::Source source, Spellings& spellings) {
  MergedSlot slot;
  slot.role = turn.role;
  if (!turn.item_id.empty()) slot.ids.push_back(turn.item_id);
  slot.place = turn.ordinal;
  slot.started_at = turn.started_at;
  slot.ended_at = turn.ended_at;
  slot.variants.emplace_back(source, turn.status, spellings.of(turn.text));
  return slot;
}

bool is_numbered(const MergedSlots& slots) {
  return std::all_of(slots.begin(), slots.end(), [](const MergedSlot& slot) { return slot.place; });
}

/// Some writers number in steps of ten, to leave room. Smaller steps mean that turns are missing.
void count_in_ones(MergedSlots& sorted) {
  int step = 0;
  for (std::size_t i = 1; i < sorted.size(); ++i)
    step = std::gcd(step, *sorted[i].place - *sorted.front().place);
  if (sorted.size() < 4 || step < 5) return;
  const int first = *sorted.front().place;
  for (MergedSlot& slot : sorted)
    slot.place = (*slot.place - first) / step + (first + step - 1) / step;
}

/// True if no two turns share an id or a number.
bool has_no_twins(const MergedSlots& slots) {
  std::unordered_set<std::string_view> ids;
  const MergedSlot* last = nullptr;
  for (const MergedSlot& slot : slots) {
    if (!slot.ids.empty() && !ids.insert(slot.ids.front()).second) return false;
    if (slot.place && last && *slot.place <= *last->place) return false;
    if (slot.place) last = &slot;
  }
  return true;
}

void sort_by_number(MergedSlots& slots) {
  const auto before = [](const MergedSlot& a, const MergedSlot& b) { return *a.place < *b.place; };
  if (!std::is_sorted(slots.begin(), slots.end(), before))
    std::stable_sort(slots.begin(), slots.end(), before);
  count_in_ones(slots);
}

/// Keeps each turn once. Turns are the same by id, or by number if their words agree.
class Deduplicated {
 public:
  Deduplicated(std::size_t most, MergeWork& work) : work_(work) { once_.reserve(most); }

  void add(MergedSlot slot) {
    if (const std::size_t twin = twin_of(slot); twin != none) {
      absorb(once_[twin], std::move(slot));
      return;
    }
    if (!slot.ids.empty()) with_role_of(slot).emplace(slot.ids.front(), once_.size());
    if (slot.place) by_place_[*slot.place].push_back(once_.size());
    once_.push_back(std::move(slot));
  }
  MergedSlots take() { return std::move(once_); }

 private:
  using ById = std::unordered_map<std::string_view, std::size_t>;

  ById& with_role_of(const MergedSlot& slot) { return by_id_[static_cast<std::size_t>(slot.role)]; }

  std::size_t twin_of(const MergedSlot& slot) {
    if (!slot.ids.empty()) {
      const ById& known = with_role_of(slot);
      const auto at = known.find(slot.ids.front());
      return at == known.end() ? none : at->second;
    }
    if (!slot.place) return none;
    for (const std::size_t other : by_place_[*slot.place]) {
      if (!work_.take(work_of_comparing(once_[other], slot))) return none;
      if (once_[other].role == slot.role && compatible(once_[other], slot)) return other;
    }
    return none;
  }

  MergeWork& work_;
  MergedSlots once_;
  /// Some writers give a question and its answer the same id: they are two turns.
  ById by_id_[role_count];
  std::unordered_map<int, std::vector<std::size_t>> by_place_;
};

/// Sorts into the writer's order and keeps each turn once.
void tidy(MergedSlots& slots, MergeWork& work) {
  if (is_numbered(slots)) sort_by_number(slots);
  if (has_no_twins(slots)) return;
  Deduplicated once(slots.size(), work);
  for (MergedSlot& slot : slots) once.add(std::move(slot));
  slots = once.take();
}

/// A writer that posts turn by turn numbers the turns consecutively, so together they form one
/// copy.
bool is_single(const Copy& copy) {
  return copy.turns.size() == 1 &&
         (copy.turns.front().ordinal || !copy.turns.front().item_id.empty());
}

// ---- Choosing the text ----

bool is_of_relay(const Variant& variant) { return variant.sources.front() == relay_source; }

bool more_distinctive(const Variant& a, const Variant& b) {
  if (a.words().size() != b.words().size()) return a.words().size() > b.words().size();
  if (is_whole(a.status) != is_whole(b.status)) return is_whole(a.status);
  if (a.text().size_bytes() != b.text().size_bytes())
    return a.text().size_bytes() > b.text().size_bytes();
  if (a.text().wtf8() != b.text().wtf8()) return a.text().wtf8() < b.text().wtf8();
  return a.status < b.status;
}

/// The most distinctive version that `counts`; null if there is none.
template <class Counts>
const Variant* most_distinctive(const std::vector<Variant>& variants, Counts counts) {
  const Variant* best = nullptr;
  for (const Variant& variant : variants)
    if (counts(variant) && (!best || more_distinctive(variant, *best))) best = &variant;
  return best;
}

/// Completed wins over partial, the relay's over others, the longer over the shorter. Exception: a
/// version never wins over one that continues it, so no post makes a turn shorter.
const Variant& best_of(const std::vector<Variant>& variants) {
  if (variants.size() == 1) return variants.front();
  const Variant* relay = nullptr;
  for (const Variant& variant : variants)
    if (is_of_relay(variant)) relay = &variant;
  if (relay && is_whole(relay->status) && !relay->text().empty()) return *relay;

  const auto is_others = [relay](const Variant& variant) { return &variant != relay; };
  const Variant* best = most_distinctive(variants, is_others);
  if (!best) return *relay;
  if (!relay) return *best;
  const auto continues_relay = [&](const Variant& variant) {
    return is_others(variant) && begins_with(variant.words(), relay->words());
  };
  if (relay->text().empty() || std::any_of(variants.begin(), variants.end(), continues_relay))
    return best->text().empty() ? *relay : *best;
  const Variant* whole = most_distinctive(variants, [&](const Variant& variant) {
    return is_others(variant) && is_whole(variant.status) &&
           variant.words().size() >= relay->words().size();
  });
  return whole ? *whole : *relay;
}

/// The names of the sources, each once, the relay's first.
class Names {
 public:
  explicit Names(const std::vector<Copy>& copies) : names_{relay_writer} {
    std::vector<std::string> others;
    others.reserve(copies.size());
    for (const Copy& copy : copies) others.push_back(copy.writer);
    std::sort(others.begin(), others.end());
    others.erase(std::unique(others.begin(), others.end()), others.end());
    names_.insert(names_.end(), others.begin(), others.end());
    ranks_.push_back(0);
    for (const Copy& copy : copies) {
      const auto at = std::lower_bound(others.begin(), others.end(), copy.writer);
      ranks_.push_back(static_cast<std::size_t>(at - others.begin()) + 1);
    }
  }
  const std::string& of(Variant::Source source) const { return names_[ranks_[source]]; }
  /// The names of all sources of this turn, in that order.
  std::vector<std::string> of(const MergedSlot& slot) const {
    std::vector<std::size_t> ranks;
    for (const Variant& variant : slot.variants)
      for (const Variant::Source source : variant.sources) ranks.push_back(ranks_[source]);
    std::sort(ranks.begin(), ranks.end());
    ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
    std::vector<std::string> names;
    names.reserve(ranks.size());
    for (const std::size_t rank : ranks) names.push_back(names_[rank]);
    return names;
  }
  std::vector<std::string> of(const MergedSlots& slots) const {
    std::vector<bool> present(names_.size(), false);
    for (const MergedSlot& slot : slots)
      for (const Variant& variant : slot.variants)
        for (const Variant::Source source : variant.sources) present[ranks_[source]] = true;
    std::vector<std::string> names;
    for (std::size_t rank = 0; rank < names_.size(); ++rank)
      if (present[rank]) names.push_back(names_[rank]);
    return names;
  }

 private:
  std::vector<std::string> names_;
  std::vector<std::size_t> ranks_;  ///< for each source, its index in names_
};

MergedTurn turn_of(const MergedSlot& slot, const Names& names) {
  const Variant& best = best_of(slot.variants);
  MergedTurn turn;
  if (slot.heard) static_cast<Turn&>(turn) = *slot.heard;
  if (!is_of_relay(best)) {
    turn.status = best.status;
    turn.text = best.text();
    turn.reason.clear();
    turn.repaired =
        std::any_of(best.sources.begin(), best.sources.end(),
                    [&](Variant::Source source) { return names.of(source) == repair_writer; });
  }
  if (turn.role == Role::unknown) turn.role = slot.role;
  if (turn.item_id.empty() && !slot.ids.empty())
    turn.item_id = *std::min_element(slot.ids.begin(), slot.ids.end());
  if (!turn.started_at) turn.started_at = slot.started_at;
  if (!turn.ended_at) turn.ended_at = slot.ended_at;
  // The times may come from two writers with two clocks, or from one that confuses them.
  if (turn.started_at && turn.ended_at) turn.ended_at = std::max(*turn.started_at, *turn.ended_at);
  turn.writers = names.of(slot);
  for (const Variant& variant : slot.variants) {
    if (variant.has_same_text(best)) continue;
    for (const Variant::Source source : variant.sources)
      turn.versions.push_back({names.of(source), variant.status, variant.text()});
  }
  const auto key = [](const Version& version) {
    return std::tie(version.writer, version.text.wtf8(), version.status);
  };
  std::sort(turn.versions.begin(), turn.versions.end(),
            [&](const Version& a, const Version& b) { return key(a) < key(b); });
  turn.versions.erase(std::unique(turn.versions.begin(), turn.versions.end()), turn.versions.end());
  return turn;
}

// ---- Gaps ----

bool is_filled(const Gap& gap, const MergedSlots& slots, const std::vector<MergedTurn>& turns) {
  if (gap.item_id.empty()) return false;
  for (std::size_t i = 0; i < slots.size(); ++i)
    if (slots[i].has_id(gap.item_id) && !turns[i].text.empty() &&
        !is_of_relay(best_of(slots[i].variants)) && is_whole(turns[i].status))
      return true;
  return false;
}

/// Adds a gap for numbers that no copy has, if most numbers are consecutive (some writers number in
/// tens).
void add_missing_places(const MergedSlots& slots, std::vector<Gap>& gaps) {
  std::vector<std::size_t> jumps;
  std::size_t steps = 0;
  const MergedSlot* last = nullptr;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (!slots[i].place) continue;
    const int distance = last ? *slots[i].place - *last->place : 0;
    if (distance == 1) ++steps;
    if (distance > 1) jumps.push_back(i);
    last = &slots[i];
  }
  if (steps <= jumps.size()) return;
  for (const std::size_t at : jumps) {
    gaps.push_back({{}, GapKind::missing_position, static_cast<int>(at)});
  }
}

/// Places tool calls behind the same turns as in the relay's transcript, with any turns in between.
std::vector<ToolCall> place_tool_calls(const FinalTranscript& relay, const MergedSlots& slots) {
  std::vector<int> ordinals(relay.turns.size() + 1, 0);
  for (std::size_t i = 0; i < slots.size(); ++i)
    if (slots[i].heard != nullptr)
      ordinals[static_cast<std::size_t>(slots[i].heard - relay.turns.data()) + 1] =
          static_cast<int>(i) + 1;
  std::vector<ToolCall> calls = relay.tool_calls;
  for (ToolCall& call : calls)
    call.after =
        ordinals[std::min(static_cast<std::size_t>(std::max(call.after, 0)), ordinals.size() - 1)];
  std::stable_sort(calls.begin(), calls.end(),
                   [](const ToolCall& a, const ToolCall& b) { return a.after < b.after; });
  return calls;
}

Contribution contribution(const MergedSlots& slots, const std::vector<MergedTurn>& turns,
                          Variant::Source source) {
  Contribution brought;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    bool theirs = false, others = false, known = false;
    for (const Variant& variant : slots[i].variants)
      for (const Variant::Source one : variant.sources) {
        (one == source ? theirs : others) = true;
        known |=
            one != source && variant.text() == turns[i].text && variant.status == turns[i].status;
      }
    if (!theirs) continue;
    ++(!others ? brought.added : known ? brought.unchanged : brought.extended);
  }
  return brought;
}

/// The distinct copies in an order that depends only on their content.
std::vector<std::size_t> in_fixed_order(const std::vector<Copy>& copies) {
  std::vector<std::size_t> order(copies.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return comes_before(copies[a], copies[b]); });
  order.erase(std::unique(order.begin(), order.end(),
                          [&](std::size_t a, std::size_t b) { return copies[a] == copies[b]; }),
              order.end());
  return order;
}

/// Sort key: lists that say most about positions come first. A list without numbers comes before
/// the numbered ones only if it has more turns than any of them.
std::pair<int, std::ptrdiff_t> rank_of(const MergedSlots& list, std::size_t most_numbered) {
  const auto size = static_cast<std::ptrdiff_t>(list.size());
  if (!is_numbered(list)) return {list.size() > most_numbered ? -1 : 2, -size};
  const std::ptrdiff_t span = *list.back().place - *list.front().place;
  return {span > 2 * size ? 1 : 0, -size};
}

std::vector<MergedSlots> lists_of(const std::vector<Copy>& copies, Spellings& spellings,
                                  MergeWork& work) {
  std::vector<MergedSlots> lists;
  std::map<std::string_view, std::size_t> singles;
  for (const std::size_t i : in_fixed_order(copies)) {
    const Copy& copy = copies[i];
    std::size_t list = lists.size();
    if (is_single(copy)) list = singles.try_emplace(copy.writer, list).first->second;
    if (list == lists.size()) lists.emplace_back().reserve(copy.turns.size());
    for (const CopyTurn& turn : copy.turns)
      lists[list].push_back(slot_of(turn, static_cast<Variant::Source>(i + 1), spellings));
  }
  std::erase_if(lists, [](const MergedSlots& list) { return list.empty(); });
  for (MergedSlots& list : lists) tidy(list, work);
  std::size_t most_numbered = 0;
  for (const MergedSlots& list : lists)
    if (is_numbered(list)) most_numbered = std::max(most_numbered, list.size());
  std::stable_sort(lists.begin(), lists.end(), [&](const MergedSlots& a, const MergedSlots& b) {
    return rank_of(a, most_numbered) < rank_of(b, most_numbered);
  });
  return lists;
}

/// Joins the lists in order until the work is used up. The remaining lists are appended by ids and
/// equal words.
MergedSlots join_all(MergedSlots slots, std::vector<MergedSlots> lists,
                     const std::vector<Copy>& copies, MergeWork& work) {
  std::map<std::string_view, int> shifts;  // for writers whose numbering is known
  std::size_t next = 0;
  for (; next < lists.size(); ++next) {
    MergedSlots& list = lists[next];
    if (!work.take(work_of_joining(slots, list))) break;
    const std::string_view writer =
        copies[list.front().variants.front().sources.front() - 1].writer;
    const auto known = shifts.find(writer);
    const auto shift =
        join(slots, std::move(list),
             known == shifts.end() ? std::nullopt : std::optional(known->second), work);
    if (shift) shifts.emplace(writer, *shift);
  }
  if (next == lists.size()) return slots;
  Unaligned rest(std::move(slots));
  for (; next < lists.size(); ++next) rest.add(std::move(lists[next]));
  return std::move(rest).slots();
}

/// A turn that was cut off counts as whole if another writer has the rest.
bool is_complete(const FinalTranscript& relay, const MergedSlots& slots,
                 const MergedTranscript& merged) {
  if (!merged.gaps.empty()) return false;
  if (relay.complete) return true;
  const bool mended =
      !relay.gaps.empty() || std::any_of(slots.begin(), slots.end(), [](const MergedSlot& slot) {
        return slot.heard && !is_whole(slot.heard->status) && !is_of_relay(best_of(slot.variants));
      });
  return mended &&
         std::none_of(merged.turns.begin(), merged.turns.end(), [](const MergedTurn& turn) {
           return turn.status == TurnStatus::in_progress ||
                  (turn.status == TurnStatus::interrupted && turn.reason.empty());
         });
}

/// The source number of `copies[of]`; equal copies share one source.
Variant::Source source_of(const std::vector<Copy>& copies, std::size_t of) {
  if (of >= copies.size()) return static_cast<Variant::Source>(copies.size() + 1);
  for (const std::size_t i : in_fixed_order(copies))
    if (i == of || copies[i] == copies[of]) return static_cast<Variant::Source>(i + 1);
  return static_cast<Variant::Source>(copies.size() + 1);
}

}  // namespace

MergedTranscript merge(const FinalTranscript& relay, const std::vector<Copy>& copies) {
  Contribution ignored;
  return merge(relay, copies, copies.size(), ignored);
}

MergedTranscript merge(const FinalTranscript& relay, const std::vector<Copy>& copies,
                       std::size_t of, Contribution& brought, std::uint64_t work_max) {
  Spellings spellings;
  MergeWork work(work_max);
  const MergedSlots slots =
      join_all(slots_of(relay, spellings), lists_of(copies, spellings, work), copies, work);

  MergedTranscript merged;
  const Names names(copies);
  merged.turns.reserve(slots.size());
  for (const MergedSlot& slot : slots) {
    merged.turns.push_back(turn_of(slot, names));
    merged.turns.back().ordinal = static_cast<int>(merged.turns.size());
  }
  for (const Gap& gap : relay.gaps)
    if (!is_filled(gap, slots, merged.turns)) merged.gaps.push_back(gap);
  if (!copies.empty()) add_missing_places(slots, merged.gaps);
  merged.complete = is_complete(relay, slots, merged);
  merged.writers = names.of(slots);
  merged.tool_calls = place_tool_calls(relay, slots);
  brought = contribution(slots, merged.turns, source_of(copies, of));
  return merged;
}

}  // namespace verbatim::transcript
