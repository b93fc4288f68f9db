#include "session/alignment.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

#include "session/agreement.hpp"

namespace verbatim::session {
namespace {

constexpr std::size_t none = static_cast<std::size_t>(-1);

/// People say "yes" and "thank you" again and again; a sentence of this length seldom.
constexpr std::size_t telling_length = 12;

using Partners = std::vector<std::size_t>;  ///< of each of theirs: the index of ours, or none

bool share_an_id(const Slot& a, const Slot& b) {
  return std::any_of(a.ids.begin(), a.ids.end(), [&](const auto& id) { return b.has_id(id); });
}

/// Both have ids, and none in common. Means something only if they are of the same kind.
bool differ_in_id(const Slot& a, const Slot& b) {
  return !a.ids.empty() && !b.ids.empty() && !share_an_id(a, b);
}

/// The provider's ids in both: some are shared. Some writers make ids of their own.
bool ids_are_of_one_kind(const Slots& ours, const Slots& theirs) {
  std::set<std::string_view> known;
  for (const Slot& slot : ours) known.insert(slot.ids.begin(), slot.ids.end());
  for (const Slot& slot : theirs)
    for (const std::string& id : slot.ids)
      if (known.contains(id)) return true;
  return false;
}

bool is_partial(const Saying& saying) {
  return saying.status != TurnStatus::completed && saying.status != TurnStatus::truncated;
}

bool same_role(const Slot& a, const Slot& b) {
  return a.role == b.role || a.role == Role::unknown || b.role == Role::unknown;
}

using Anchors = std::vector<std::pair<std::size_t, std::size_t>>;

/// The only one of `others` that goes on where `cut` was cut short; none if there are more.
std::size_t continued_by(const Slot& cut, const Slots& others) {
  std::size_t found = none;
  for (const Saying& saying : cut.sayings) {
    if (!is_partial(saying) || saying.words.size() < telling_length) continue;
    for (std::size_t i = 0; i < others.size(); ++i) {
      const auto goes_on = [&](const Saying& more) {
        return begins_with(more.words, saying.words);
      };
      if (others[i].role != cut.role || i == found) continue;
      if (std::none_of(others[i].sayings.begin(), others[i].sayings.end(), goes_on)) continue;
      if (found != none) return none;
      found = i;
    }
  }
  return found;
}

void add_cut_short(const Slots& ours, const Slots& theirs, bool ids_are_comparable,
                   Anchors& anchors) {
  const auto add = [&](std::size_t i, std::size_t j) {
    if (ids_are_comparable && differ_in_id(ours[i], theirs[j])) return;
    anchors.emplace_back(i, j);
  };
  for (std::size_t i = 0; i < ours.size(); ++i)
    if (const std::size_t j = continued_by(ours[i], theirs); j != none) add(i, j);
  for (std::size_t j = 0; j < theirs.size(); ++j)
    if (const std::size_t i = continued_by(theirs[j], ours); i != none) add(i, j);
}

/// Pairs of which there can be no doubt: a shared id, or the same telling words that stand once
/// in each list.
Anchors find_anchors(const Slots& ours, const Slots& theirs, bool ids_are_comparable) {
  Anchors anchors;
  std::unordered_map<std::string_view, std::size_t> by_id;
  for (std::size_t i = 0; i < ours.size(); ++i)
    for (const std::string& id : ours[i].ids) by_id.emplace(id, i);
  const auto by_words = [](const Slots& slots) {
    std::map<std::pair<Role, std::string_view>, std::size_t> once;
    for (std::size_t i = 0; i < slots.size(); ++i)
      for (const Saying& saying : slots[i].sayings)
        if (saying.words.size() >= telling_length) {
          const auto [at, first] =
              once.emplace(std::pair(slots[i].role, std::string_view(saying.words)), i);
          if (!first && at->second != i) at->second = none;
        }
    return once;
  };
  const auto our_words = by_words(ours);
  const auto their_words = by_words(theirs);
  std::vector<bool> anchored(theirs.size(), false);
  for (std::size_t j = 0; j < theirs.size(); ++j)
    for (const std::string& id : theirs[j].ids)
      if (const auto at = by_id.find(id); at != by_id.end() && !anchored[j]) {
        anchors.emplace_back(at->second, j);
        anchored[j] = true;
      }
  for (const auto& [words, j] : their_words) {
    const auto at = our_words.find(words);
    if (j == none || anchored[j] || at == our_words.end() || at->second == none) continue;
    if (ids_are_comparable && differ_in_id(ours[at->second], theirs[j])) continue;
    anchors.emplace_back(at->second, j);
    anchored[j] = true;
  }
  add_cut_short(ours, theirs, ids_are_comparable, anchors);
  return anchors;
}

// ---- by numbers --------------------------------------------------------------------------------

/// How well two numberings fit if theirs is shifted by a constant.
struct Fit {
  int shift = 0;
  std::size_t agreements = 0;
  bool holds = false;
  Partners partners;
};

bool gives_two_roles_one_number(const Slots& slots) {
  std::map<int, Role> roles;
  for (const Slot& slot : slots) {
    if (!slot.place) continue;
    const auto [at, first] = roles.emplace(*slot.place, slot.role);
    if (!first && at->second != slot.role) return true;
  }
  return false;
}

class Numbering {
 public:
  Numbering(const Slots& ours, const Slots& theirs, bool ids_are_comparable)
      : ours_(ours), theirs_(theirs) {
    for (std::size_t i = 0; i < ours.size(); ++i)
      if (ours[i].place) at_.emplace(*ours[i].place, i);
    roles_share_ = gives_two_roles_one_number(ours) || gives_two_roles_one_number(theirs);
    ids_are_comparable_ = ids_are_comparable;
  }

  /// nullopt: their numbers say nothing about ours.
  std::optional<Fit> best(const Anchors& anchors) const {
    if (at_.empty()) return std::nullopt;
    for (const Slot& slot : theirs_)
      if (!slot.place) return std::nullopt;
    std::vector<int> shifts = {0, 1, -1};
    for (const auto& [i, j] : anchors) {
      if (!ours_[i].place) continue;
      const int shift = *ours_[i].place - *theirs_[j].place;
      if (std::find(shifts.begin(), shifts.end(), shift) == shifts.end()) shifts.push_back(shift);
      if (shifts.size() > 8) break;  // no constant shift then
    }
    std::optional<Fit> best;
    for (const int shift : shifts) {
      Fit fit = measure(shift, anchors);
      if (fit.holds && (!best || fit.agreements > best->agreements)) best = std::move(fit);
    }
    return best;
  }

 private:
  Fit measure(int shift, const Anchors& anchors) const {
    Fit fit;
    fit.shift = shift;
    for (const auto& [i, j] : anchors)
      if (ours_[i].place && *ours_[i].place != *theirs_[j].place + shift) return fit;
    fit.partners.assign(theirs_.size(), none);
    std::vector<bool> taken(ours_.size(), false);
    std::size_t collisions = 0;
    for (std::size_t j = 0; j < theirs_.size(); ++j) {
      bool somebody = false;
      const auto [first, last] = at_.equal_range(*theirs_[j].place + shift);
      for (auto at = first; at != last; ++at) {
        const Slot& slot = ours_[at->second];
        if (roles_share_ && slot.role != theirs_[j].role) continue;
        somebody = true;
        if (taken[at->second] || !may_be_same(slot, theirs_[j])) continue;
        if (ids_are_comparable_ && differ_in_id(slot, theirs_[j])) continue;
        fit.partners[j] = at->second;
        taken[at->second] = true;
        break;
      }
      if (fit.partners[j] != none) ++fit.agreements;
      if (fit.partners[j] == none && somebody) ++collisions;
    }
    // One utterance that two recognisers wrote quite differently does not refute the rest.
    fit.holds = collisions * 10 <= fit.agreements;
    return fit;
  }

  const Slots& ours_;
  const Slots& theirs_;
  std::multimap<int, std::size_t> at_;
  bool roles_share_ = false;
  bool ids_are_comparable_ = false;
};

/// What of two turns can be compared beside their words.
struct Comparable {
  bool ids = false;
  bool numbers = false;

  bool tells_apart(const Slot& ours, const Slot& theirs) const {
    if (ids && differ_in_id(ours, theirs)) return true;
    return numbers && ours.place && theirs.place && *ours.place != *theirs.place;
  }
};

// ---- by words ----------------------------------------------------------------------------------

/// How much it says that these two are one turn; 0: they are not. Long words count for more, so
/// that a sentence is not given up for two times "yes".
int likeness(const Slot& ours, const Slot& theirs, Comparable by) {
  if (!same_role(ours, theirs) || by.tells_apart(ours, theirs)) return 0;
  int most = 0;
  const auto worth = [](std::size_t length) {
    return static_cast<int>(std::min(length, std::size_t{60}));
  };
  for (const Saying& a : ours.sayings)
    for (const Saying& b : theirs.sayings) {
      if (a.words.empty() || b.words.empty() || a.words.front() != b.words.front()) continue;
      if (a.words == b.words) {
        most = std::max(most, 20 + 2 * worth(a.words.size()) + (a.text == b.text ? 1 : 0));
        continue;
      }
      const Saying& less = a.words.size() < b.words.size() ? a : b;
      const Saying& more = &less == &a ? b : a;
      const bool telling = is_partial(less) || less.words.size() >= telling_length;
      if (telling && begins_with(more.words, less.words))
        most = std::max(most, 10 + worth(less.words.size()));
    }
  return most;
}

/// The pairing, in the order of both, that says the most.
void align_by_words(const Slots& ours, std::size_t our_begin, std::size_t our_end,
                    const Slots& theirs, std::size_t their_begin, std::size_t their_end,
                    Comparable by, Partners& partners) {
  const std::size_t rows = our_end - our_begin, columns = their_end - their_begin;
  if (rows == 0 || columns == 0) return;
  enum : std::uint8_t { pair, skip_ours, skip_theirs };
  std::vector<std::uint8_t> moves(rows * columns);
  std::vector<int> below(columns + 1, 0), row(columns + 1, 0);
  for (std::size_t i = rows; i-- > 0;) {
    for (std::size_t j = columns; j-- > 0;) {
      const bool free = partners[their_begin + j] == none;
      const int like = free ? likeness(ours[our_begin + i], theirs[their_begin + j], by) : 0;
      int best = below[j];
      moves[i * columns + j] = skip_ours;
      if (row[j + 1] > best) {
        best = row[j + 1];
        moves[i * columns + j] = skip_theirs;
      }
      if (like > 0 && like + below[j + 1] >= best) {
        best = like + below[j + 1];
        moves[i * columns + j] = pair;
      }
      row[j] = best;
    }
    std::swap(row, below);
  }
  for (std::size_t i = 0, j = 0; i < rows && j < columns;) {
    switch (moves[i * columns + j]) {
      case pair:
        partners[their_begin + j++] = our_begin + i++;
        break;
      case skip_ours:
        ++i;
        break;
      default:
        ++j;
    }
  }
}

/// Theirs that keep the order of ours when paired: what lies between two of them can only belong
/// between them.
std::vector<std::size_t> in_order(const Partners& partners) {
  std::vector<std::size_t> tails, previous(partners.size(), none);
  for (std::size_t j = 0; j < partners.size(); ++j) {
    if (partners[j] == none) continue;
    const auto at =
        std::lower_bound(tails.begin(), tails.end(), j,
                         [&](std::size_t a, std::size_t b) { return partners[a] < partners[b]; });
    if (at != tails.begin()) previous[j] = *(at - 1);
    if (at == tails.end())
      tails.push_back(j);
    else
      *at = j;
  }
  std::vector<std::size_t> chain;
  for (std::size_t j = tails.empty() ? none : tails.back(); j != none; j = previous[j])
    chain.push_back(j);
  std::reverse(chain.begin(), chain.end());
  return chain;
}

/// Calls `visit(our_begin, our_end, their_begin, their_end)` for what lies between the pairs.
template <class Visit>
void between(const Slots& ours, const Slots& theirs, const Partners& partners, Visit visit) {
  std::size_t i = 0, j = 0;
  for (const std::size_t barrier : in_order(partners)) {
    visit(i, partners[barrier], j, barrier);
    i = partners[barrier] + 1;
    j = barrier + 1;
  }
  visit(i, ours.size(), j, theirs.size());
}

/// Between two pairs each has one turn of a role that the other seems to lack, and they sound
/// alike: two recognisers heard it.
void pair_what_sounds_alike(const Slots& ours, const Slots& theirs, Comparable by,
                            Partners& partners) {
  const std::set<std::size_t> taken(partners.begin(), partners.end());
  std::vector<std::pair<std::size_t, std::size_t>> found;
  between(ours, theirs, partners,
          [&](std::size_t i, std::size_t our_end, std::size_t j, std::size_t their_end) {
            for (const Role role : {Role::user, Role::assistant, Role::system, Role::unknown}) {
              std::vector<std::size_t> mine, other;
              for (std::size_t at = i; at < our_end; ++at)
                if (ours[at].role == role && !taken.contains(at)) mine.push_back(at);
              for (std::size_t at = j; at < their_end; ++at)
                if (theirs[at].role == role && partners[at] == none) other.push_back(at);
              if (mine.size() != 1 || other.size() != 1) continue;
              const Slot& a = ours[mine[0]];
              const Slot& b = theirs[other[0]];
              if (!by.tells_apart(a, b) && may_be_same(a, b)) found.emplace_back(mine[0], other[0]);
            }
          });
  for (const auto& [i, j] : found) partners[j] = i;
}

/// Pairs what `partners` leaves without one. What there can be no doubt of needs no order: the
/// place of a turn that only its id names is a guess.
void align_by_words(const Slots& ours, const Slots& theirs, const Anchors& anchors, Comparable by,
                    Partners& partners) {
  std::set<std::size_t> taken(partners.begin(), partners.end());
  for (const auto& [i, j] : anchors)
    if (partners[j] == none && !by.tells_apart(ours[i], theirs[j]) && taken.insert(i).second)
      partners[j] = i;
  const Partners certain = partners;
  between(ours, theirs, certain,
          [&](std::size_t i, std::size_t our_end, std::size_t j, std::size_t their_end) {
            align_by_words(ours, i, our_end, theirs, j, their_end, by, partners);
          });
  pair_what_sounds_alike(ours, theirs, by, partners);
}

// ---- where it stands ---------------------------------------------------------------------------

/// Of two that are not the same, which comes first: by number, else by time, else so that people
/// take turns.
bool theirs_first(const Slot& ours, const Slot& theirs, Role last) {
  if (ours.place && theirs.place) return *theirs.place < *ours.place;
  if (ours.started_at && theirs.started_at && *ours.started_at != *theirs.started_at)
    return *theirs.started_at < *ours.started_at;
  return theirs.role != last && ours.role == last;
}

}  // namespace

bool Slot::has_id(const std::string& id) const {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

void absorb(Slot& ours, Slot&& theirs) {
  if (ours.role == Role::unknown) ours.role = theirs.role;
  for (std::string& id : theirs.ids)
    if (!ours.has_id(id)) ours.ids.push_back(std::move(id));
  if (!ours.place) ours.place = theirs.place;
  if (!ours.started_at) ours.started_at = theirs.started_at;
  if (!ours.ended_at) ours.ended_at = theirs.ended_at;
  for (Saying& saying : theirs.sayings) ours.sayings.push_back(std::move(saying));
}

bool may_be_same(const Slot& ours, const Slot& theirs) {
  if (!same_role(ours, theirs)) return false;
  if (share_an_id(ours, theirs)) return true;
  for (const Saying& a : ours.sayings)
    for (const Saying& b : theirs.sayings)
      if (a.words.empty() || b.words.empty() || a.words == b.words ||
          begins_with(a.words, b.words) || begins_with(b.words, a.words) ||
          sounds_like(a.words, b.words))
        return true;
  return false;
}

void join(Slots& ours, Slots&& theirs) {
  if (ours.empty()) {
    ours = std::move(theirs);
    return;
  }
  const bool we_have_numbers =
      std::any_of(ours.begin(), ours.end(), [](const Slot& slot) { return slot.place; });
  const bool ids_are_comparable = ids_are_of_one_kind(ours, theirs);
  const Anchors anchors = find_anchors(ours, theirs, ids_are_comparable);
  auto fit = Numbering(ours, theirs, ids_are_comparable).best(anchors);
  Partners partners = fit ? std::move(fit->partners) : Partners(theirs.size(), none);
  for (Slot& slot : theirs) {
    if (fit)
      *slot.place += fit->shift;
    else if (we_have_numbers)
      slot.place.reset();  // a number among others would say what nobody knows
  }
  align_by_words(ours, theirs, anchors, {ids_are_comparable, fit.has_value()}, partners);

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
}

}  // namespace verbatim::session
