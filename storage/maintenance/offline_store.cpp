#include "storage/maintenance/offline_store.hpp"

#include <chrono>
#include <thread>
#include <utility>

#include "storage/journal/segment.hpp"
#include "storage/maintenance/recovery.hpp"
#include "storage/rows/client_tokens.hpp"
#include "storage/rows/transcript_store.hpp"
#include "storage/rows/webhook_outbox.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/store_files.hpp"

namespace verbatim::storage {

OfflineStore::OfflineStore(std::filesystem::path file, std::filesystem::path fallback_dir)
    : file_(std::move(file)), fallback_dir_(std::move(fallback_dir)) {
  require_whole_store(file_, fallback_dir_);
}

std::optional<std::filesystem::path> OfflineStore::segment() const {
  if (fallback_dir_.empty()) return std::nullopt;
  std::filesystem::path file = segment_in(fallback_dir_);
  return std::filesystem::exists(file) ? std::optional(std::move(file)) : std::nullopt;
}

SessionPage OfflineStore::list_sessions(const SessionFilter& filter) const {
  return TranscriptStore(file_).list(filter);
}

std::optional<SessionSummary> OfflineStore::find_session(const std::string& id) const {
  return TranscriptStore(file_).session(id);
}

std::optional<std::string> OfflineStore::find_owner(const std::string& id) const {
  return TranscriptStore(file_).owner_of(id);
}

std::optional<TranscriptViews> OfflineStore::read_transcripts(
    const TranscriptRequest& request) const {
  return TranscriptStore(file_).read(request);
}

std::vector<Delivery> OfflineStore::undelivered(bool dead_only) const {
  Database database(file_, {.access = Access::read_only});
  return storage::undelivered(database, dead_only);
}

void OfflineStore::save_token(const ClientToken& token) const {
  Database database(file_);
  save_client_token(database, token);
}

std::int64_t OfflineStore::redrive(const std::optional<std::string>& message) const {
  Database database(file_);
  Transaction transaction(database);
  const std::int64_t count = storage::redrive(database, message);
  transaction.commit();
  return count;
}

std::optional<std::filesystem::path> OfflineStore::erase_session(const std::string& id) const {
  Database database(file_);
  {
    // Begin with a write: a transaction that begins with a read may be unable to write later.
    Transaction transaction(database);
    storage::erase_session(database, id);
    transaction.commit();
  }
  // SQLite waits for readers, but not for the checkpoint of another process.
  constexpr std::chrono::seconds patience{10};
  constexpr std::chrono::milliseconds pause{20};
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!database.checkpoint(Database::Checkpoint::truncate)) {
    if (std::chrono::steady_clock::now() >= deadline) return log_of(file_);
    std::this_thread::sleep_for(pause);
  }
  return std::nullopt;
}

}  // namespace verbatim::storage
