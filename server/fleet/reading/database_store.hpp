// The sessions of a fleet as its database has them, behind the interfaces that the API uses for a
// store. The API reads a session here if the session's node does not answer; lists always.
//
// An attempt that runs on such a node is shown as far as it was shipped, with the gap
// `tail_pending`.
//
// Any thread. Errors are values: Failure::fleet_database if the database does not answer.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>

#include "base/log.hpp"
#include "config/settings.hpp"
#include "server/fleet/reading/reader.hpp"
#include "storage/store/copy_store.hpp"
#include "storage/store/session_image.hpp"
#include "storage/store/session_store.hpp"
#include "storage/store/tail_store.hpp"
#include "storage/store/token_store.hpp"

namespace verbatim::reading {

struct DatabaseStoreParts {
  config::Fleet settings;
  store::OpenImage open_image;
  store::CopyStore& local;  ///< for CopyStore::compute()
  /// Waits until the database has everything that this node has stored so far, at most this long:
  /// a list shows what its caller has just made here. On a thread that may wait.
  std::function<void(std::chrono::milliseconds)> catch_up;
  Log& log;
};

class DatabaseStore final : public store::SessionStore,
                            public store::CopyStore,
                            public store::TokenStore,
                            public store::TailStore {
 public:
  explicit DatabaseStore(DatabaseStoreParts parts);

  /// Reads for a view of the whole fleet, beside those of lists.
  Reader& reader() { return lists_; }
  /// Writes copies that nodes left; used for copies alone.
  Reader& writer() { return posts_; }

  // SessionStore. Changes are refused: only a session's node makes them.
  void list_sessions(store::SessionFilter filter, store::ReadLabel label,
                     store::Done<store::SessionPage> done) override;
  void find_session(std::string id, store::ReadLabel label,
                    store::Done<std::optional<store::SessionSummary>> done) override;
  void find_owner(std::string id, store::ReadLabel label,
                  store::Done<std::optional<std::string>> done) override;
  void read_transcripts(store::TranscriptRequest request, store::ReadLabel label,
                        store::Done<std::optional<store::TranscriptViews>> done) override;
  void sessions_ended_before(TimeMs time, std::size_t limit, store::ReadLabel label,
                             store::Done<std::vector<std::string>> done) override;
  void create_session(store::NewSession asked, store::Done<store::MadeSession> done) override;
  void patch_metadata(std::string id, store::MetadataPatch patch, std::size_t bytes_max,
                      store::Done<> done) override;
  void erase_session(std::string id, store::TokenClock clock, store::Done<bool> done,
                     std::function<void()> gone) override;

  // CopyStore
  void compute(store::MergeLane lane, store::ReadLabel label, std::function<void()> work) override;
  void keep_copy(store::PostedCopy posted, store::Done<store::KeptCopy> done) override;
  /// The merge was made with keep_copy(), in its transaction.
  void merge_copy(store::KeptCopy kept, std::string session_id, store::ReadLabel label,
                  store::Done<std::optional<store::PostOutcome>> done) override;

  // TokenStore: reads of a session's client alone.
  void read_standing(store::TokenUse use, store::TokenClock clock, store::ReadLabel label,
                     store::Done<store::TokenStanding> done) override;
  void list_tokens(store::TokenFilter filter, store::TokenClock clock, store::ReadLabel label,
                   store::Done<store::TokenPage> done) override;
  void save_token(store::ClientToken token, store::TokenClock clock, store::Done<> done) override;
  void revoke_token(std::string id, TimeMs now, store::Done<bool> done) override;
  void revoke_tokens_of_other_keys(std::vector<std::string> keys, TimeMs now,
                                   store::Done<std::vector<std::string>> done) override;

  // TailStore
  void start_tail(store::TailRequest request, store::ReadLabel label,
                  store::Done<std::optional<store::TailStart>> done) override;
  void look(store::MergeLane lane, std::vector<store::TailWanted> wanted,
            store::Done<store::TailLook> done) override;

 private:
  /// Null if there is no such session.
  struct Image {
    store::SessionImage* image = nullptr;
    const store::SessionRows* rows = nullptr;
  };

  template <class T>
  void read_image(std::string id, bool content, std::optional<store::TranscriptRequest> one,
                  std::optional<std::string> token, store::ReadLabel label,
                  std::function<store::StoreResult<T>(const Image&)> read, store::Done<T> done);

  DatabaseStoreParts parts_;
  Reader lists_;
  Reader sessions_;
  Reader posts_;
};

}  // namespace verbatim::reading
