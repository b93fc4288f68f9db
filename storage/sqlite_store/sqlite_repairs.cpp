// Second transcriptions of failed utterances (storage/store/repair_store.hpp).
#include <memory>
#include <utility>

#include "storage/rows/repairs.hpp"
#include "storage/sqlite_store/change.hpp"
#include "storage/sqlite_store/sqlite_store.hpp"

namespace verbatim::sqlite_store {

void SqliteStore::find_repairable(store::RepairCursor since, std::size_t limit,
                                  store::ReadLabel label, store::Done<store::RepairPage> done) {
  const auto read = [since, limit](rows::TranscriptStore& store) {
    return rows::find_repairable(store.database(), since, limit);
  };
  reader_.run(std::move(label), read, std::move(done));
}

void SqliteStore::read_repair(store::RepairableAttempt attempt, store::ReadLabel label,
                              store::Done<store::RepairRecord> done) {
  const auto read = [attempt = std::move(attempt)](rows::TranscriptStore& store) {
    return rows::read_repair(store.database(), attempt);
  };
  reader_.run(std::move(label), read, std::move(done));
}

void SqliteStore::note_repair_try(store::RepairTry one, store::Done<> done) {
  const auto work = [one = std::move(one)](sqlite::Database& database) {
    rows::note_repair_try(database, one);
  };
  change(*journal_, work, std::move(done));
}

void SqliteStore::forget_repair_tries(store::RepairableAttempt attempt, store::Done<> done) {
  const auto work = [attempt = std::move(attempt)](sqlite::Database& database) {
    rows::forget_repair_tries(database, attempt);
  };
  change(*journal_, work, std::move(done));
}

void SqliteStore::keep_repair(store::PostedCopy posted, store::Done<store::KeptCopy> done) {
  const auto shared = std::make_shared<const store::PostedCopy>(std::move(posted));
  const auto work = [shared](sqlite::Database& database) {
    return rows::keep_repair(database, *shared);
  };
  change(*journal_, work, std::move(done));
}

}  // namespace verbatim::sqlite_store
