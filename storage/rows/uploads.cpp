#include "storage/rows/uploads.hpp"

#include "storage/sqlite/database.hpp"

namespace verbatim::rows {

namespace {

constexpr const char* columns =
    "SELECT id, session, attempt, file, place, key, state, bytes, sha256, changed_at FROM upload ";

std::vector<store::Upload> read_all(sqlite::Query& rows) {
  std::vector<store::Upload> found;
  while (rows.step()) {
    store::Upload one;
    one.id = rows.integer(0);
    one.session_id = rows.text(1);
    one.attempt = static_cast<int>(rows.integer(2));
    one.file = rows.text(3);
    one.place = rows.text(4);
    one.key = rows.text(5);
    one.state = static_cast<store::UploadState>(rows.integer(6));
    one.bytes = rows.integer(7);
    one.sha256 = rows.text(8);
    one.changed_at = rows.integer(9);
    found.push_back(std::move(one));
  }
  return found;
}

std::int64_t number(sqlite::Query& row) { return row.step() ? row.integer(0) : 0; }

}  // namespace

std::int64_t begin_upload(sqlite::Database& database, const store::Upload& upload) {
  database
      .query(
          "INSERT INTO upload (session, attempt, file, place, key, state, bytes, sha256, "
          "changed_at) SELECT public_id, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8 FROM session "
          "WHERE public_id = ?1")
      .bind(upload.session_id, upload.attempt, upload.file, upload.place, upload.key, upload.bytes,
            upload.sha256, upload.changed_at)
      .run();
  if (database.changes() == 0)
    throw store::StorageError(store::Failure::not_found, "no session " + upload.session_id);
  sqlite::Query row = database.query("SELECT id FROM upload WHERE key = ?");
  return number(row.bind(upload.key));
}

bool finish_upload(sqlite::Database& database, std::int64_t id, TimeMs now) {
  database.query("UPDATE upload SET state = 1, changed_at = ?2 WHERE id = ?1 AND state = 0")
      .bind(id, now)
      .run();
  return database.changes() > 0;
}

std::int64_t release_uploads(sqlite::Database& database, const std::string& session_id,
                             std::optional<int> attempt, TimeMs now) {
  database
      .query(
          "UPDATE upload SET state = 2, changed_at = ?3 WHERE session = ?1 AND state <> 2 "
          "AND (?2 IS NULL OR attempt = ?2)")
      .bind(session_id, attempt, now)
      .run();
  sqlite::Query row = database.query("SELECT count(*) FROM upload WHERE session = ? AND state = 2");
  return number(row.bind(session_id));
}

void release_upload(sqlite::Database& database, std::int64_t id, TimeMs now) {
  database.query("UPDATE upload SET state = 2, changed_at = ?2 WHERE id = ?1").bind(id, now).run();
}

void forget_upload(sqlite::Database& database, std::int64_t id) {
  database.query("DELETE FROM upload WHERE id = ? AND state = 2").bind(id).run();
}

std::vector<store::Upload> uploads_of(sqlite::Database& database, const std::string& session_id) {
  sqlite::Query rows = database.query(std::string(columns) + "WHERE session = ? ORDER BY id");
  return read_all(rows.bind(session_id));
}

std::vector<store::Upload> uploads_in(sqlite::Database& database, store::UploadState state,
                                      std::size_t limit) {
  sqlite::Query rows =
      database.query(std::string(columns) + "WHERE state = ? ORDER BY changed_at LIMIT ?");
  return read_all(rows.bind(static_cast<int>(state), static_cast<std::int64_t>(limit)));
}

std::vector<std::string> sessions_uploaded_before(sqlite::Database& database, TimeMs time) {
  sqlite::Query rows =
      database.query("SELECT DISTINCT session FROM upload WHERE state = 1 AND changed_at < ?");
  rows.bind(time);
  std::vector<std::string> found;
  while (rows.step()) found.push_back(rows.text(0));
  return found;
}

std::int64_t count_uploads(sqlite::Database& database) {
  sqlite::Query row = database.query("SELECT count(*) FROM upload");
  return number(row);
}

}  // namespace verbatim::rows
