// Sessions that move between the nodes of a fleet (storage/store/moving_store.hpp).
#include <memory>
#include <utility>

#include "storage/rows/session_import.hpp"
#include "storage/sqlite_store/change.hpp"
#include "storage/sqlite_store/sqlite_store.hpp"

namespace verbatim::sqlite_store {

namespace {

constexpr const char* moves_read = "the sessions that move";

}  // namespace

void SqliteStore::import_session(store::MovedSession session, store::Done<bool> done) {
  const auto shared = std::make_shared<const store::MovedSession>(std::move(session));
  const auto imported = std::make_shared<bool>(false);
  journal_->import(
      rows::numbers_of(*shared),
      [shared, imported](sqlite::Database& database, transcript::Sequence last) {
        *imported = rows::import_session(database, *shared, last);
      },
      [imported, done = std::move(done)](const store::StorageError* error) {
        done(error ? store::StoreResult<bool>(tl::unexpect, *error)
                   : store::StoreResult<bool>(*imported));
      });
}

void SqliteStore::forget_session(std::string id, store::Done<> done) {
  const auto work = [id](sqlite::Database& database) { rows::forget_session(database, id); };
  if (!indexer_) return change(*journal_, work, std::move(done));
  // Its words leave the search index too.
  const auto next = [this, id, done](store::StoreResult<> forgotten) {
    if (!forgotten) return done(std::move(forgotten));
    indexer_->erase(id, done, [] {});
  };
  change(*journal_, work, store::Done<>(next));
}

void SqliteStore::open_sessions(store::Done<std::vector<store::OpenSession>> done) {
  const auto read = [](rows::TranscriptStore& store) {
    return rows::open_sessions(store.database());
  };
  admission_.run({moves_read}, read, std::move(done));
}

void SqliteStore::find_stored(std::vector<std::string> ids,
                              store::Done<std::vector<store::StoredSession>> done) {
  const auto read = [ids = std::move(ids)](rows::TranscriptStore& store) {
    return rows::find_stored(store.database(), ids);
  };
  admission_.run({moves_read}, read, std::move(done));
}

void SqliteStore::tails_of(std::string id, transcript::Sequence shipped,
                           store::Done<std::vector<store::Tail>> done) {
  const auto read = [id = std::move(id), shipped](rows::TranscriptStore& store) {
    return rows::tails_of(store.database(), id, shipped);
  };
  admission_.run({moves_read}, read, std::move(done));
}

void SqliteStore::pending_tails(store::Done<std::vector<store::AttemptName>> done) {
  const auto read = [](rows::TranscriptStore& store) {
    return rows::pending_tails(store.database());
  };
  admission_.run({moves_read}, read, std::move(done));
}

void SqliteStore::end_pending_tail(store::AttemptName attempt, store::Done<> done) {
  const auto work = [attempt = std::move(attempt)](sqlite::Database& database) {
    rows::end_pending_tail(database, attempt);
  };
  change(*journal_, work, std::move(done));
}

}  // namespace verbatim::sqlite_store
