// A store as the command line uses it: beside a server or without one, on the caller's thread.
//
// All throw StorageError.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "storage/store/delivery_store.hpp"
#include "storage/store/session_store.hpp"
#include "storage/store/token_store.hpp"
#include "storage/store/webhook_store.hpp"

namespace verbatim::maintenance {

class OfflineStore {
 public:
  /// Throws, and changes nothing, if the store is incomplete (recovery.hpp, require_whole_store).
  /// The file is opened by the first call.
  OfflineStore(std::filesystem::path file, std::filesystem::path fallback_dir);

  /// The part of the store in the fallback directory, if there is one now.
  std::optional<std::filesystem::path> segment() const;

  store::SessionPage list_sessions(const store::SessionFilter& filter) const;
  std::optional<store::SessionSummary> find_session(const std::string& id) const;
  std::optional<std::string> find_owner(const std::string& id) const;
  /// Like SessionStore::read_transcripts().
  std::optional<store::TranscriptViews> read_transcripts(
      const store::TranscriptRequest& request) const;
  /// Deliveries that were tried and did not succeed, oldest first.
  std::vector<store::Delivery> undelivered(bool dead_only) const;
  /// Like DeliveryStore.
  store::DeliveryPage list_deliveries(const store::DeliveryFilter& filter,
                                      const std::vector<store::DeliveryTarget>& targets) const;
  store::RetriedDelivery retry_delivery(const std::string& id,
                                        const std::vector<store::DeliveryTarget>& targets) const;

  void save_token(const store::ClientToken& token) const;
  /// Puts dead deliveries back to waiting, those of one message or all. Returns how many.
  std::int64_t redrive(const std::optional<std::string>& message) const;
  /// Erases the session and its traces in the write-ahead log. Waits some seconds for other users
  /// of the log. Returns the log if they kept it: the text is then still in it.
  std::optional<std::filesystem::path> erase_session(const std::string& id) const;
  /// Objects of recorded audio in a bucket that the next start has to remove.
  std::int64_t objects_left(const std::string& id) const;

 private:
  const std::filesystem::path file_;
  const std::filesystem::path fallback_dir_;
};

}  // namespace verbatim::maintenance
