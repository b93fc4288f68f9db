// Brings what is written down of merged copies up to date: merges on the thread for that, and
// writes the few counts through the journal.
#pragma once

#include "base/log.hpp"
#include "server/store/merger.hpp"
#include "storage/journal/sqlite_journal.hpp"

namespace verbatim::server {

/// What came of merging an attempt's copies, if anything is not written down yet. What others write
/// meanwhile is not written twice. Nothing, if the journal or the store refuses.
Awaitable<void> write_down_merge(Executor executor, session::AttemptId attempt, StoreReader& merger,
                                 storage::SqliteJournal& journal, std::string share = {});

/// Makes good what is marked: by an attempt that has ended, by a process that died between a post
/// and its merge. Looks a few times a second, for ever; at the attempts of one lane.
Awaitable<void> keep_merged(Executor executor, storage::MergeLane lane, Merger& merger,
                            storage::SqliteJournal& journal, Log& log);

}  // namespace verbatim::server
