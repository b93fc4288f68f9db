// A change through the journal's writer, with its result.
#pragma once

#include <memory>
#include <utility>

#include "storage/journal/sqlite_journal.hpp"
#include "storage/store/call.hpp"

namespace verbatim::storage {

/// Runs `work(database)` as SqliteJournal::execute() does: it may run again if its transaction is
/// retried. `done` gets the result of the last run.
template <class T, class Work>
void change(SqliteJournal& journal, Work work, Done<T> done) {
  const auto result = std::make_shared<T>();
  journal.execute(
      [work = std::move(work), result](Database& database) { *result = work(database); },
      [result, done = std::move(done)](const StorageError* error) {
        done(error ? StoreResult<T>(tl::unexpect, *error) : StoreResult<T>(std::move(*result)));
      });
}

template <class Work>
void change(SqliteJournal& journal, Work work, Done<> done) {
  journal.execute(std::move(work), [done = std::move(done)](const StorageError* error) {
    done(error ? StoreResult<>(tl::unexpect, *error) : StoreResult<>());
  });
}

}  // namespace verbatim::storage
