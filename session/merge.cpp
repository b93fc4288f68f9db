#include "session/merge.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>

#include "session/agreement.hpp"
#include "session/alignment.hpp"

namespace verbatim::session {
namespace {

constexpr std::size_t relay_source = 0;

bool is_whole(TurnStatus status) {
  return status == TurnStatus::completed || status == TurnStatus::truncated;
}

auto fields(const CopyTurn& turn) {
  return std::tie(turn.ordinal, turn.item_id, turn.role, turn.status, turn.text.wtf8(),
                  turn.started_at, turn.ended_at);
}

/// An order of copies that depends on nothing but what is in them. The longest first: the others
/// are most likely parts of it.
bool comes_before(const Copy& a, const Copy& b) {
  if (a.turns.size() != b.turns.size()) return a.turns.size() > b.turns.size();
  if (a.writer != b.writer) return a.writer < b.writer;
  return std::lexicographical_compare(
      a.turns.begin(), a.turns.end(), b.turns.begin(), b.turns.end(),
      [](const CopyTurn& x, const CopyTurn& y) { return fields(x) < fields(y); });
}

/// `to_compare`: with the words of each, which only a comparison needs.
Slots slots_of(const FinalTranscript& relay, bool to_compare) {
  Slots slots;
  slots.reserve(relay.turns.size());
  for (const Turn& turn : relay.turns) {
    Slot& slot = slots.emplace_back();
    slot.role = turn.role;
    if (!turn.item_id.empty()) slot.ids.push_back(turn.item_id);
    slot.place = static_cast<int>(slots.size());
    slot.started_at = turn.started_at;
    slot.ended_at = turn.ended_at;
    slot.heard = &turn;
    slot.sayings.push_back({relay_source, turn.status, turn.text,
                            to_compare ? spoken_words(turn.text.wtf8()) : std::string()});
  }
  return slots;
}

Slot slot_of(const CopyTurn& turn, std::size_t source) {
  Slot slot;
  slot.role = turn.role;
  if (!turn.item_id.empty()) slot.ids.push_back(turn.item_id);
  slot.place = turn.ordinal;
  slot.started_at = turn.started_at;
  slot.ended_at = turn.ended_at;
  slot.sayings.push_back({source, turn.status, turn.text, spoken_words(turn.text.wtf8())});
  return slot;
}

bool is_numbered(const Slots& slots) {
  return std::all_of(slots.begin(), slots.end(), [](const Slot& slot) { return slot.place; });
}

/// Some count in tens, to leave room. Smaller steps are turns left out.
void count_in_ones(Slots& sorted) {
  int step = 0;
  for (std::size_t i = 1; i < sorted.size(); ++i)
    step = std::gcd(step, *sorted[i].place - *sorted.front().place);
  if (sorted.size() < 4 || step < 5) return;
  const int first = *sorted.front().place;
  for (Slot& slot : sorted) slot.place = (*slot.place - first) / step + (first + step - 1) / step;
}

/// In the writer's order, each turn once: by its id, or by its number where the words agree.
void tidy(Slots& slots) {
  if (is_numbered(slots)) {
    std::stable_sort(slots.begin(), slots.end(),
                     [](const Slot& a, const Slot& b) { return *a.place < *b.place; });
    count_in_ones(slots);
  }
  Slots once;
  std::map<std::string, std::size_t> by_id;
  std::multimap<int, std::size_t> by_place;
  for (Slot& slot : slots) {
    std::size_t twin = once.size();
    if (!slot.ids.empty()) {
      const auto at = by_id.find(slot.ids.front());
      if (at != by_id.end()) twin = at->second;
    } else if (slot.place) {
      const auto [first, last] = by_place.equal_range(*slot.place);
      for (auto at = first; at != last && twin == once.size(); ++at)
        if (once[at->second].role == slot.role && may_be_same(once[at->second], slot))
          twin = at->second;
    }
    if (twin < once.size()) {
      absorb(once[twin], std::move(slot));
      continue;
    }
    if (!slot.ids.empty()) by_id.emplace(slot.ids.front(), once.size());
    if (slot.place) by_place.emplace(*slot.place, once.size());
    once.push_back(std::move(slot));
  }
  slots = std::move(once);
}

/// A writer that posts turn by turn counts through them: together they are one copy.
bool is_single(const Copy& copy) {
  return copy.turns.size() == 1 &&
         (copy.turns.front().ordinal || !copy.turns.front().item_id.empty());
}

// ---- the better words --------------------------------------------------------------------------

bool more_telling(const Saying& a, const Saying& b) {
  if (a.words.size() != b.words.size()) return a.words.size() > b.words.size();
  if (is_whole(a.status) != is_whole(b.status)) return is_whole(a.status);
  if (a.text.size_bytes() != b.text.size_bytes()) return a.text.size_bytes() > b.text.size_bytes();
  if (a.text.wtf8() != b.text.wtf8()) return a.text.wtf8() < b.text.wtf8();
  return a.status < b.status;
}

/// Completed over partial, the relay's over others, the longer over the shorter; but what another
/// version continues never wins over it, and no post makes a turn shorter.
const Saying& best_of(const std::vector<Saying>& sayings) {
  const Saying* relay = nullptr;
  for (const Saying& saying : sayings)
    if (saying.source == relay_source) relay = &saying;
  if (relay && is_whole(relay->status) && !relay->text.empty()) return *relay;

  const Saying* best = nullptr;
  bool relay_is_continued = false;
  for (const Saying& saying : sayings) {
    if (&saying == relay) continue;
    if (relay && begins_with(saying.words, relay->words)) relay_is_continued = true;
    if (!best || more_telling(saying, *best)) best = &saying;
  }
  if (!best) return *relay;
  if (!relay || relay->text.empty() || relay_is_continued) {
    return best->text.empty() && relay ? *relay : *best;
  }
  const Saying* whole = nullptr;
  for (const Saying& saying : sayings)
    if (&saying != relay && is_whole(saying.status) && saying.words.size() >= relay->words.size() &&
        (!whole || more_telling(saying, *whole)))
      whole = &saying;
  return whole ? *whole : *relay;
}

struct Names {
  const std::vector<Copy>& copies;
  const std::string& of(std::size_t source) const {
    static const std::string relay = relay_writer;
    return source == relay_source ? relay : copies[source - 1].writer;
  }
};

MergedTurn turn_of(const Slot& slot, const Names& names) {
  const Saying& best = best_of(slot.sayings);
  MergedTurn turn;
  if (slot.heard) static_cast<Turn&>(turn) = *slot.heard;
  if (best.source != relay_source) {
    turn.status = best.status;
    turn.text = best.text;
    turn.reason.clear();
  }
  if (turn.role == Role::unknown) turn.role = slot.role;
  if (turn.item_id.empty() && !slot.ids.empty())
    turn.item_id = *std::min_element(slot.ids.begin(), slot.ids.end());
  if (!turn.started_at) turn.started_at = slot.started_at;
  if (!turn.ended_at) turn.ended_at = slot.ended_at;
  for (const Saying& saying : slot.sayings) {
    if (saying.source != relay_source) turn.writers.push_back(names.of(saying.source));
    if (saying.text != best.text)
      turn.versions.push_back({names.of(saying.source), saying.status, saying.text});
  }
  std::sort(turn.writers.begin(), turn.writers.end());
  turn.writers.erase(std::unique(turn.writers.begin(), turn.writers.end()), turn.writers.end());
  if (slot.heard) turn.writers.insert(turn.writers.begin(), relay_writer);
  const auto key = [](const Version& version) {
    return std::tie(version.writer, version.text.wtf8(), version.status);
  };
  std::sort(turn.versions.begin(), turn.versions.end(),
            [&](const Version& a, const Version& b) { return key(a) < key(b); });
  turn.versions.erase(std::unique(turn.versions.begin(), turn.versions.end()), turn.versions.end());
  return turn;
}

// ---- what is missing ---------------------------------------------------------------------------

bool is_filled(const Gap& gap, const Slots& slots, const std::vector<MergedTurn>& turns) {
  if (gap.item_id.empty()) return false;
  for (std::size_t i = 0; i < slots.size(); ++i)
    if (slots[i].has_id(gap.item_id))
      return !turns[i].text.empty() && best_of(slots[i].sayings).source != relay_source &&
             is_whole(turns[i].status);
  return false;
}

/// Numbers that no copy has, where numbers follow upon each other otherwise (some people count
/// in tens).
void add_missing_places(const Slots& slots, std::vector<Gap>& gaps) {
  std::vector<std::size_t> jumps;
  std::size_t steps = 0;
  const Slot* last = nullptr;
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

Contribution contribution(const Slots& slots, const std::vector<MergedTurn>& turns,
                          std::size_t source) {
  Contribution brought;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const auto& sayings = slots[i].sayings;
    const auto theirs = [&](const Saying& saying) { return saying.source == source; };
    if (std::none_of(sayings.begin(), sayings.end(), theirs)) continue;
    if (std::all_of(sayings.begin(), sayings.end(), theirs)) {
      ++brought.added;
      continue;
    }
    const bool known = std::any_of(sayings.begin(), sayings.end(), [&](const Saying& saying) {
      return saying.source != source && saying.text == turns[i].text &&
             saying.status == turns[i].status;
    });
    ++(known ? brought.unchanged : brought.extended);
  }
  return brought;
}

}  // namespace

MergedTranscript merge(const FinalTranscript& relay, const std::vector<Copy>& copies) {
  Contribution ignored;
  return merge(relay, copies, copies.size(), ignored);
}

MergedTranscript merge(const FinalTranscript& relay, const std::vector<Copy>& copies,
                       std::size_t of, Contribution& brought) {
  std::vector<std::size_t> order(copies.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return comes_before(copies[a], copies[b]); });
  order.erase(std::unique(order.begin(), order.end(),
                          [&](std::size_t a, std::size_t b) { return copies[a] == copies[b]; }),
              order.end());

  std::size_t source_asked_for = copies.size() + 1;
  std::vector<Slots> lists;
  std::map<std::string, std::size_t> singles;
  for (const std::size_t i : order) {
    const Copy& copy = copies[i];
    if (of < copies.size() && copy == copies[of]) source_asked_for = i + 1;
    std::size_t list = lists.size();
    if (is_single(copy)) list = singles.try_emplace(copy.writer, list).first->second;
    if (list == lists.size()) lists.emplace_back();
    for (const CopyTurn& turn : copy.turns) lists[list].push_back(slot_of(turn, i + 1));
  }

  Slots slots = slots_of(relay, !copies.empty());
  for (Slots& list : lists) tidy(list);
  // Those first that say the most about places.
  const auto order_of = [](const Slots& list) {
    const auto size = static_cast<std::ptrdiff_t>(list.size());
    if (list.empty() || !is_numbered(list)) return std::pair(2, -size);
    const std::ptrdiff_t span = *list.back().place - *list.front().place;
    return std::pair(span > 2 * size ? 1 : 0, -size);
  };
  std::stable_sort(lists.begin(), lists.end(),
                   [&](const Slots& a, const Slots& b) { return order_of(a) < order_of(b); });
  for (Slots& list : lists) join(slots, std::move(list));

  MergedTranscript merged;
  const Names names{copies};
  merged.turns.reserve(slots.size());
  for (const Slot& slot : slots) {
    merged.turns.push_back(turn_of(slot, names));
    merged.turns.back().ordinal = static_cast<int>(merged.turns.size());
  }
  for (const Gap& gap : relay.gaps)
    if (!is_filled(gap, slots, merged.turns)) merged.gaps.push_back(gap);
  if (!copies.empty()) add_missing_places(slots, merged.gaps);

  // What was cut off is whole again where another writer has the rest.
  const bool mended =
      relay.gaps.empty() == false || std::any_of(slots.begin(), slots.end(), [](const Slot& slot) {
        return slot.heard && !is_whole(slot.heard->status) &&
               best_of(slot.sayings).source != relay_source;
      });
  const bool cut_off =
      std::any_of(merged.turns.begin(), merged.turns.end(), [](const MergedTurn& turn) {
        return turn.status == TurnStatus::in_progress ||
               (turn.status == TurnStatus::interrupted && turn.reason.empty());
      });
  merged.complete = merged.gaps.empty() && (relay.complete || (mended && !cut_off));

  for (const MergedTurn& turn : merged.turns)
    merged.writers.insert(merged.writers.end(), turn.writers.begin(), turn.writers.end());
  std::sort(merged.writers.begin(), merged.writers.end());
  merged.writers.erase(std::unique(merged.writers.begin(), merged.writers.end()),
                       merged.writers.end());
  const auto relay_at = std::find(merged.writers.begin(), merged.writers.end(), relay_writer);
  if (relay_at != merged.writers.end()) std::rotate(merged.writers.begin(), relay_at, relay_at + 1);
  brought = contribution(slots, merged.turns, source_asked_for);
  return merged;
}

}  // namespace verbatim::session
