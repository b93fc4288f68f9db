// Recorded audio in a bucket (storage/store/upload_store.hpp).
#include <utility>

#include "storage/rows/uploads.hpp"
#include "storage/sqlite_store/change.hpp"
#include "storage/sqlite_store/sqlite_store.hpp"

namespace verbatim::sqlite_store {

void SqliteStore::begin_upload(store::Upload upload, store::Done<std::int64_t> done) {
  const auto work = [upload = std::move(upload)](sqlite::Database& database) {
    return rows::begin_upload(database, upload);
  };
  change(*journal_, work, std::move(done));
}

void SqliteStore::finish_upload(std::int64_t id, TimeMs now, store::Done<bool> done) {
  const auto work = [id, now](sqlite::Database& database) {
    return rows::finish_upload(database, id, now);
  };
  change(*journal_, work, std::move(done));
}

void SqliteStore::release_uploads(std::string session_id, std::optional<int> attempt, TimeMs now,
                                  store::Done<std::int64_t> done) {
  const auto work = [session_id = std::move(session_id), attempt, now](sqlite::Database& database) {
    return rows::release_uploads(database, session_id, attempt, now);
  };
  change(*journal_, work, std::move(done));
}

void SqliteStore::release_upload(std::int64_t id, TimeMs now, store::Done<> done) {
  const auto work = [id, now](sqlite::Database& database) {
    rows::release_upload(database, id, now);
  };
  change(*journal_, work, std::move(done));
}

void SqliteStore::forget_upload(std::int64_t id, store::Done<> done) {
  const auto work = [id](sqlite::Database& database) { rows::forget_upload(database, id); };
  change(*journal_, work, std::move(done));
}

void SqliteStore::uploads_of(std::string session_id, store::ReadLabel label,
                             store::Done<Uploads> done) {
  const auto read = [session_id = std::move(session_id)](rows::TranscriptStore& store) {
    return rows::uploads_of(store.database(), session_id);
  };
  reader_.run(std::move(label), read, std::move(done));
}

void SqliteStore::uploads_in(store::UploadState state, std::size_t limit, store::ReadLabel label,
                             store::Done<Uploads> done) {
  const auto read = [state, limit](rows::TranscriptStore& store) {
    return rows::uploads_in(store.database(), state, limit);
  };
  reader_.run(std::move(label), read, std::move(done));
}

void SqliteStore::sessions_uploaded_before(TimeMs time, store::ReadLabel label,
                                           store::Done<std::vector<std::string>> done) {
  const auto read = [time](rows::TranscriptStore& store) {
    return rows::sessions_uploaded_before(store.database(), time);
  };
  reader_.run(std::move(label), read, std::move(done));
}

void SqliteStore::count_uploads(store::ReadLabel label, store::Done<std::int64_t> done) {
  const auto read = [](rows::TranscriptStore& store) {
    return rows::count_uploads(store.database());
  };
  reader_.run(std::move(label), read, std::move(done));
}

}  // namespace verbatim::sqlite_store
