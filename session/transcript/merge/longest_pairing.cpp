#include "session/transcript/merge/longest_pairing.hpp"

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <unordered_set>

#include "session/transcript/merge/text_similarity.hpp"

namespace verbatim::transcript {
namespace {

using Score = std::int64_t;

/// Weight of one pair; more than all similarity scores together. Otherwise a copy that lacks turns
/// could lose two short turns ("yes") for one sentence that occurs twice.
constexpr Score one_pair = Score{1} << 32;

/// The largest number of comparisons; they take about a tenth of a second.
constexpr std::size_t cells_max = 25'000'000;
/// Bytes for the moves of one stretch. A larger stretch is halved first (Hirschberg).
constexpr std::size_t moves_max = 4'000'000;
/// How many turns ahead quickly() searches.
constexpr std::size_t window = 256;
/// Work per turn in quickly(): usually the first candidate is the right one.
constexpr std::uint64_t quick_work = window / 8;
/// Texts that begin alike take longer to compare: one more unit of work for this many bytes.
constexpr std::size_t bytes_of_one_more = 4096;

Score worth(std::size_t length) { return static_cast<Score>(std::min(length, std::size_t{60})); }

/// Score of two texts being of the same turn; 0: they are not.
Score likeness(const Variant& ours, const Variant& theirs) {
  const std::string &ours_say = ours.words(), &they_say = theirs.words();
  if (ours_say.empty() || they_say.empty() || ours_say.front() != they_say.front()) return 0;
  if (ours.has_same_words(theirs))
    return 20 + 2 * worth(ours_say.size()) + (ours.has_same_text(theirs) ? 1 : 0);
  const bool ours_is_less = ours_say.size() < they_say.size();
  const Variant& less = ours_is_less ? ours : theirs;
  const Variant& more = ours_is_less ? theirs : ours;
  const bool distinctive = less.is_partial() || less.words().size() >= distinctive_length;
  return distinctive && begins_with(more.words(), less.words()) ? 10 + worth(less.words().size())
                                                                : 0;
}

/// Score of two turns being the same; 0: they are not. Among pairings of the same size, the one
/// with longer texts wins.
Score likeness(const MergedSlot& ours, const MergedSlot& theirs, Comparable by) {
  if (!same_role(ours, theirs) || by.distinguishes(ours, theirs)) return 0;
  Score most = 0;
  for (const Variant& a : ours.variants)
    for (const Variant& b : theirs.variants) most = std::max(most, likeness(a, b));
  return most > 0 ? one_pair + most : 0;
}

std::string_view opening_of(const std::string& words) {
  return std::string_view(words).substr(0, distinctive_length);
}

/// The beginnings of a list's turns.
struct Openings {
  std::unordered_set<std::string_view> words;     ///< whole turns
  std::unordered_set<std::string_view> openings;  ///< of turns with distinctive words
  bool any_short_partial = false;                 ///< such a turn may be the beginning of any other

  Openings(const MergedSlots& slots, Stretch of) {
    for (std::size_t i = of.begin; i < of.end; ++i)
      for (const Variant& variant : slots[i].variants) {
        words.insert(variant.words());
        if (variant.words().size() >= distinctive_length)
          openings.insert(opening_of(variant.words()));
        any_short_partial |= is_short_partial(variant);
      }
  }
  static bool is_short_partial(const Variant& variant) {
    return variant.is_partial() && variant.words().size() < distinctive_length;
  }
  bool may_have(const MergedSlot& slot) const {
    return any_short_partial ||
           std::any_of(slot.variants.begin(), slot.variants.end(), [&](const Variant& variant) {
             return is_short_partial(variant) || words.contains(variant.words()) ||
                    (variant.words().size() >= distinctive_length &&
                     openings.contains(opening_of(variant.words())));
           });
  }
};

/// The turns of two stretches that can have a partner in the other stretch.
class Pairing {
 public:
  Pairing(const MergedSlots& ours, Stretch of_ours, const MergedSlots& theirs, Stretch of_theirs,
          Comparable by, Partners& partners)
      : ours_(ours), theirs_(theirs), by_(by), partners_(partners) {
    const Openings of_us(ours, of_ours), of_them(theirs, of_theirs);
    for (std::size_t i = of_ours.begin; i < of_ours.end; ++i)
      if (of_them.may_have(ours[i])) rows_.push_back(i);
    for (std::size_t j = of_theirs.begin; j < of_theirs.end; ++j)
      if (partners[j] == none && of_us.may_have(theirs[j])) columns_.push_back(j);
  }

  void run(MergeWork& work) {
    if (rows_.empty() || columns_.empty()) return;
    if (rows_.size() <= cells_max / columns_.size() && work.take(work_of_all()))
      return solve({0, rows_.size()}, {0, columns_.size()});
    if (work.take(quick_work * columns_.size())) quickly();
  }

 private:
  /// Upper bound on the cost of likeness() for all pairs: one unit for each pair of variants, more
  /// for long texts. Halving compares each pair twice.
  std::uint64_t work_of_all() const {
    const auto weight = [](const MergedSlots& slots, const std::vector<std::size_t>& some) {
      std::uint64_t sum = 0;
      for (const std::size_t i : some) {
        sum += slots[i].ids.size() / 8;
        for (const Variant& variant : slots[i].variants)
          sum += 1 + variant.words().size() / bytes_of_one_more;
      }
      return sum;
    };
    const std::uint64_t pairs = weight(ours_, rows_) * weight(theirs_, columns_);
    return rows_.size() * columns_.size() <= moves_max ? pairs : 2 * pairs;
  }
  Score like(std::size_t row, std::size_t column) const {
    return likeness(ours_[rows_[row]], theirs_[columns_[column]], by_);
  }
  void pair(std::size_t row, std::size_t column) { partners_[columns_[column]] = rows_[row]; }

  void solve(Stretch rows, Stretch columns) {
    const std::size_t height = rows.end - rows.begin, width = columns.end - columns.begin;
    if (height == 0 || width == 0) return;
    if (height == 1 || height * width <= moves_max) return solve_small(rows, columns);
    const std::size_t middle = rows.begin + height / 2;
    const std::vector<Score> above = from_above({rows.begin, middle}, columns);
    const std::vector<Score> below = from_below({middle, rows.end}, columns);
    std::size_t cut = 0;
    for (std::size_t j = 1; j <= width; ++j)
      if (above[j] + below[j] > above[cut] + below[cut]) cut = j;
    solve({rows.begin, middle}, {columns.begin, columns.begin + cut});
    solve({middle, rows.end}, {columns.begin + cut, columns.end});
  }

  /// For each j, the best score of these rows with the first j columns.
  std::vector<Score> from_above(Stretch rows, Stretch columns) const {
    const std::size_t width = columns.end - columns.begin;
    std::vector<Score> above(width + 1, 0), row(width + 1, 0);
    for (std::size_t i = rows.begin; i < rows.end; ++i) {
      for (std::size_t j = 1; j <= width; ++j) {
        row[j] = std::max(above[j], row[j - 1]);
        if (const Score score = like(i, columns.begin + j - 1))
          row[j] = std::max(row[j], score + above[j - 1]);
      }
      std::swap(row, above);
    }
    return above;
  }

  /// For each j, the best score of these rows with the columns from j on.
  std::vector<Score> from_below(Stretch rows, Stretch columns) const {
    const std::size_t width = columns.end - columns.begin;
    std::vector<Score> below(width + 1, 0), row(width + 1, 0);
    for (std::size_t i = rows.end; i-- > rows.begin;) {
      for (std::size_t j = width; j-- > 0;) {
        row[j] = std::max(below[j], row[j + 1]);
        if (const Score score = like(i, columns.begin + j))
          row[j] = std::max(row[j], score + below[j + 1]);
      }
      std::swap(row, below);
    }
    return below;
  }

  void solve_small(Stretch rows, Stretch columns) {
    const std::size_t height = rows.end - rows.begin, width = columns.end - columns.begin;
    enum : std::uint8_t { take, skip_ours, skip_theirs };
    std::vector<std::uint8_t> moves(height * width);
    std::vector<Score> below(width + 1, 0), row(width + 1, 0);
    for (std::size_t i = height; i-- > 0;) {
      for (std::size_t j = width; j-- > 0;) {
        const Score score = like(rows.begin + i, columns.begin + j);
        std::uint8_t& move = moves[i * width + j];
        row[j] = std::max(below[j], row[j + 1]);
        move = row[j + 1] > below[j] ? skip_theirs : skip_ours;
        if (score == 0 || score + below[j + 1] < row[j]) continue;
        row[j] = score + below[j + 1];
        move = take;
      }
      std::swap(row, below);
    }
    for (std::size_t i = 0, j = 0; i < height && j < width;) {
      const std::uint8_t move = moves[i * width + j];
      if (move == take) pair(rows.begin + i, columns.begin + j);
      if (move != skip_theirs) ++i;
      if (move != skip_ours) ++j;
    }
  }

  /// Pairs each turn with our next turn that has the same words, if it is near.
  void quickly() {
    std::unordered_map<std::string_view, std::vector<std::size_t>> rows_of;
    for (std::size_t row = 0; row < rows_.size(); ++row)
      for (const Variant& variant : ours_[rows_[row]].variants)
        rows_of[variant.words()].push_back(row);
    std::size_t next = 0;
    for (std::size_t column = 0; column < columns_.size(); ++column) {
      const auto at = rows_of.find(theirs_[columns_[column]].variants.front().words());
      if (at == rows_of.end()) continue;
      auto row = std::lower_bound(at->second.begin(), at->second.end(), next);
      while (row != at->second.end() && *row < next + window && like(*row, column) == 0) ++row;
      if (row == at->second.end() || *row >= next + window) continue;
      pair(*row, column);
      next = *row + 1;
    }
  }

  const MergedSlots& ours_;
  const MergedSlots& theirs_;
  const Comparable by_;
  Partners& partners_;
  std::vector<std::size_t> rows_;
  std::vector<std::size_t> columns_;
};

}  // namespace

void pair_most(const MergedSlots& ours, Stretch of_ours, const MergedSlots& theirs,
               Stretch of_theirs, Comparable by, Partners& partners, MergeWork& work) {
  if (of_ours.begin == of_ours.end || of_theirs.begin == of_theirs.end) return;
  Pairing(ours, of_ours, theirs, of_theirs, by, partners).run(work);
}

}  // namespace verbatim::transcript
