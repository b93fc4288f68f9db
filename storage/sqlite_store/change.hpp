// A change through the journal's writer, with its result.
#pragma once

#include <memory>
#include <utility>

#include "storage/journal/sqlite_journal.hpp"
#include "storage/store/call.hpp"

namespace verbatim::sqlite_store {

/// Runs `work(database)` as SqliteJournal::execute() does: it may run again if its transaction is
/// retried. `done` gets the result of the last run.
template <class T, class Work>
void change(journal::SqliteJournal& journal, Work work, store::Done<T> done) {
  const auto result = std::make_shared<T>();
  journal.execute(
      [work = std::move(work), result](sqlite::Database& database) { *result = work(database); },
      [result, done = std::move(done)](const store::StorageError* error) {
        done(error ? store::StoreResult<T>(tl::unexpect, *error)
                   : store::StoreResult<T>(std::move(*result)));
      });
}

template <class Work>
void change(journal::SqliteJournal& journal, Work work, store::Done<> done) {
  journal.execute(std::move(work), [done = std::move(done)](const store::StorageError* error) {
    done(error ? store::StoreResult<>(tl::unexpect, *error) : store::StoreResult<>());
  });
}

}  // namespace verbatim::sqlite_store
