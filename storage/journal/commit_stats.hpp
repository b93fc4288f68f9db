// Figures of the journal's commits, for metrics. One thread adds, any thread takes.
#pragma once

#include <mutex>
#include <span>

#include "storage/journal/commit_queue.hpp"

namespace verbatim::journal {

class CommitStats {
 public:
  /// A commit that is durable now. `bytes`: of all its jobs.
  void add(std::span<const Job> batch, std::size_t bytes);
  /// Returns and resets the figures.
  store::JournalStats take();

 private:
  std::mutex mutex_;
  store::JournalStats stats_;
};

}  // namespace verbatim::journal
