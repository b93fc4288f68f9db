// Keeps the stored results of merged copies up to date: merges on a merge thread, and writes the
// few counts through the journal.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "storage/journal/sqlite_journal.hpp"
#include "storage/sqlite_store/reader_thread.hpp"

namespace verbatim::sqlite_store {

/// Merges an attempt's copies and stores the result if it is not stored yet. A result that another
/// caller stored meanwhile is not stored again. On an error of store or journal nothing is stored,
/// and the attempt stays marked.
/// `attempt`: the attempt to merge.
/// `merger`: does the merge.
/// `journal`: writes the result.
/// `share`: owner of the work in the merger's queue.
/// `then`: called at the end in any case, on the merger's or the journal's thread.
void write_down_merge(transcript::AttemptId attempt, ReaderThread& merger,
                      journal::SqliteJournal& journal, const std::string& share,
                      std::function<void()> then);

/// Merges the marked attempts of one lane. An attempt is marked when it ends, or if a process died
/// between a post and its merge. Searches a few times a second; a failure is logged once and
/// retried.
///
/// One step at a time, on the merger's or the journal's thread.
class MergeUpkeep {
 public:
  /// All references must outlive the threads' last step.
  MergeUpkeep(store::MergeLane lane, ReaderThread& merger, journal::SqliteJournal& journal,
              Log& log)
      : lane_(lane), merger_(merger), journal_(journal), log_(log) {}

  void start() { search(); }
  /// Any thread: begins no further step.
  void stop() { stopping_.store(true); }

 private:
  using Attempts = std::vector<transcript::AttemptId>;

  void search();
  void take(store::StoreResult<Attempts> found);
  void merge_next();

  const store::MergeLane lane_;
  ReaderThread& merger_;
  journal::SqliteJournal& journal_;
  Log& log_;
  std::atomic<bool> stopping_{false};
  Attempts attempts_;
  std::size_t next_ = 0;   ///< in attempts_
  bool troubled_ = false;  ///< the last search failed
  bool stuck_ = false;     ///< the store cannot be read or written now
};

}  // namespace verbatim::sqlite_store
