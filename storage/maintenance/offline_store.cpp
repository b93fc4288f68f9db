#include "storage/maintenance/offline_store.hpp"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "storage/journal/segment.hpp"
#include "storage/maintenance/recovery.hpp"
#include "storage/rows/client_tokens.hpp"
#include "storage/rows/deliveries.hpp"
#include "storage/rows/transcript_store.hpp"
#include "storage/rows/uploads.hpp"
#include "storage/search/search_file.hpp"
#include "storage/search/searcher.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/store_files.hpp"

namespace verbatim::maintenance {

namespace {

/// Takes the session's words out of the full-text index, if there is one.
void erase_words(const std::filesystem::path& file, const std::string& session_id) {
  if (!std::filesystem::exists(file)) return;
  search::SearchFile index(file);
  sqlite::Transaction transaction(index.database());
  index.erase(index.rows_named(session_id));
  transaction.commit();
  // A server that reads the index now empties the log when it erases the next session or stops.
  index.scrub();
}

}  // namespace

OfflineStore::OfflineStore(std::filesystem::path file, std::filesystem::path fallback_dir)
    : file_(std::move(file)), fallback_dir_(std::move(fallback_dir)) {
  require_whole_store(file_, fallback_dir_);
}

std::optional<std::filesystem::path> OfflineStore::segment() const {
  if (fallback_dir_.empty()) return std::nullopt;
  std::filesystem::path file = journal::segment_in(fallback_dir_);
  return std::filesystem::exists(file) ? std::optional(std::move(file)) : std::nullopt;
}

store::SessionPage OfflineStore::list_sessions(const store::SessionFilter& filter) const {
  rows::TranscriptStore store(file_);
  return filter.question.empty() ? store.list(filter)
                                 : search::Searcher(file_).search(store, filter);
}

std::optional<store::SessionSummary> OfflineStore::find_session(const std::string& id) const {
  return rows::TranscriptStore(file_).session(id);
}

std::optional<std::string> OfflineStore::find_owner(const std::string& id) const {
  return rows::TranscriptStore(file_).owner_of(id);
}

std::optional<store::TranscriptViews> OfflineStore::read_transcripts(
    const store::TranscriptRequest& request) const {
  return rows::TranscriptStore(file_).read(request);
}

std::vector<store::Delivery> OfflineStore::undelivered(bool dead_only) const {
  sqlite::Database database(file_, {.access = sqlite::Access::read_only});
  return rows::undelivered(database, dead_only);
}

store::DeliveryPage OfflineStore::list_deliveries(
    const store::DeliveryFilter& filter, const std::vector<store::DeliveryTarget>& targets) const {
  sqlite::Database database(file_, {.access = sqlite::Access::read_only});
  return rows::list_deliveries(database, filter, targets);
}

store::RetriedDelivery OfflineStore::retry_delivery(
    const std::string& id, const std::vector<store::DeliveryTarget>& targets) const {
  sqlite::Database database(file_);
  sqlite::Transaction transaction(database);
  store::RetriedDelivery retried = rows::retry_delivery(database, id, targets);
  transaction.commit();
  return retried;
}

void OfflineStore::save_token(const store::ClientToken& token) const {
  sqlite::Database database(file_);
  rows::save_client_token(database, token);
}

std::int64_t OfflineStore::redrive(const std::optional<std::string>& message) const {
  sqlite::Database database(file_);
  sqlite::Transaction transaction(database);
  const std::int64_t count = rows::redrive(database, message);
  transaction.commit();
  return count;
}

std::int64_t OfflineStore::objects_left(const std::string& id) const {
  sqlite::Database database(file_);
  const auto uploads = rows::uploads_of(database, id);
  return std::count_if(uploads.begin(), uploads.end(), [](const store::Upload& one) {
    return one.state == store::UploadState::leaving;
  });
}

std::optional<std::filesystem::path> OfflineStore::erase_session(const std::string& id) const {
  sqlite::Database database(file_);
  {
    // Begin with a write: a transaction that begins with a read may be unable to write later.
    sqlite::Transaction transaction(database);
    rows::erase_session(database, id);
    transaction.commit();
  }
  erase_words(search::index_file_of(file_), id);
  // SQLite waits for readers, but not for the checkpoint of another process.
  constexpr std::chrono::seconds patience{10};
  constexpr std::chrono::milliseconds pause{20};
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!database.checkpoint(sqlite::Database::Checkpoint::truncate)) {
    if (std::chrono::steady_clock::now() >= deadline) return sqlite::log_of(file_);
    std::this_thread::sleep_for(pause);
  }
  return std::nullopt;
}

}  // namespace verbatim::maintenance
