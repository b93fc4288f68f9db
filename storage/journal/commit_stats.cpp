#include "storage/journal/commit_stats.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

namespace verbatim::journal {

void CommitStats::add(std::span<const Job> batch, std::size_t bytes) {
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  ++stats_.commits;
  stats_.rows += batch.size();
  stats_.bytes += bytes;
  for (const Job& job : batch) {
    const double waited = std::chrono::duration<double>(now - job.submitted).count();
    const auto* const bound = std::lower_bound(std::begin(store::JournalStats::bounds),
                                               std::end(store::JournalStats::bounds) - 1, waited);
    ++stats_.wait_buckets[bound - std::begin(store::JournalStats::bounds)];
    stats_.wait_sum_seconds += waited;
  }
}

store::JournalStats CommitStats::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(stats_, store::JournalStats{});
}

}  // namespace verbatim::journal
