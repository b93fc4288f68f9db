// Objects of recorded audio in a bucket (storage/store/upload_store.hpp).
//
// On the database's thread; changes are part of the caller's transaction. All throw StorageError.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "storage/store/upload_store.hpp"

namespace verbatim::sqlite {
class Database;
}  // namespace verbatim::sqlite

namespace verbatim::rows {

std::int64_t begin_upload(sqlite::Database& database, const store::Upload& upload);
bool finish_upload(sqlite::Database& database, std::int64_t id, TimeMs now);
std::int64_t release_uploads(sqlite::Database& database, const std::string& session_id,
                             std::optional<int> attempt, TimeMs now);
void release_upload(sqlite::Database& database, std::int64_t id, TimeMs now);
void forget_upload(sqlite::Database& database, std::int64_t id);

std::vector<store::Upload> uploads_of(sqlite::Database& database, const std::string& session_id);
std::vector<store::Upload> uploads_in(sqlite::Database& database, store::UploadState state,
                                      std::size_t limit);
std::vector<std::string> sessions_uploaded_before(sqlite::Database& database, TimeMs time);
std::int64_t count_uploads(sqlite::Database& database);

}  // namespace verbatim::rows
