// A session of another database as an image (storage/store/session_image.hpp): its rows in a SQLite
// database in memory.
#pragma once

#include <memory>

#include "storage/rows/transcript_store.hpp"
#include "storage/store/session_image.hpp"

namespace verbatim::sqlite_store {

class SqliteImage final : public store::SessionImage {
 public:
  /// The store::OpenImage of this class.
  static store::StoreResult<std::unique_ptr<store::SessionImage>> open(
      const store::SessionRows& rows);

  store::StoreResult<std::optional<store::SessionSummary>> session() override;
  store::StoreResult<std::optional<store::TranscriptViews>> transcripts(
      const store::TranscriptRequest& request) override;
  store::StoreResult<std::optional<store::TailStart>> tail(
      const store::TailRequest& request) override;
  store::StoreResult<store::TokenStanding> standing(const store::TokenUse& use,
                                                    const store::TokenClock& clock) override;
  store::StoreResult<Posted> post(const store::PostedCopy& posted) override;

 private:
  explicit SqliteImage(std::string id);

  const std::string id_;  ///< of the session
  rows::TranscriptStore store_;
};

}  // namespace verbatim::sqlite_store
