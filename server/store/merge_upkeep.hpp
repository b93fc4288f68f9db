// Keeps the stored results of merged copies up to date: merges on a merge thread, and writes the
// few counts through the journal.
#pragma once

#include "base/log.hpp"
#include "server/store/merger.hpp"
#include "storage/journal/sqlite_journal.hpp"

namespace verbatim::server {

/// Merges an attempt's copies and stores the result if it is not stored yet. A result that another
/// caller stored meanwhile is not stored again. On an error of store or journal nothing is stored,
/// and the attempt stays marked.
/// `executor`: where the coroutine resumes.
/// `attempt`: the attempt to merge.
/// `merger`: does the merge.
/// `journal`: writes the result.
/// `share`: owner of the work in the merger's queue.
Awaitable<void> write_down_merge(Executor executor, session::AttemptId attempt, StoreReader& merger,
                                 storage::SqliteJournal& journal, std::string share = {});

/// Merges the marked attempts of one lane until the executor stops. An attempt is marked when it
/// ends, or if a process died between a post and its merge. Searches a few times a second; a
/// failure is logged once and retried.
Awaitable<void> keep_merged(Executor executor, storage::MergeLane lane, Merger& merger,
                            storage::SqliteJournal& journal, Log& log);

}  // namespace verbatim::server
