// The store over SQLite: one database with its journal, and threads that read it.
//
// - The journal's writer makes all changes.
// - One thread reads for the API, one for admission, and two merge posted copies: quick merges, and
//   merges that may take a second or more. So an attempt with many posted copies does not delay
//   posts, reads and event streams of others, and nothing delays the admission of a client.
// - One thread keeps the full-text index, which is a file of its own.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "storage/journal/sqlite_journal.hpp"
#include "storage/rows/live_tail.hpp"
#include "storage/search/indexer.hpp"
#include "storage/search/searcher.hpp"
#include "storage/sqlite_store/merge_upkeep.hpp"
#include "storage/sqlite_store/reader_thread.hpp"
#include "storage/store/store.hpp"

namespace verbatim::sqlite_store {

struct SqliteStoreOptions {
  journal::JournalOptions journal;
  std::size_t merged_bytes_max = 0;    ///< bytes of copies whose merge is cached
  bool search = true;                  ///< keep a full-text index
  std::size_t search_space_min = 0;    ///< bytes of the disk that the index leaves free
  std::filesystem::path spill_folder;  ///< for older items of long conversations
};

class SqliteStore final : public store::Store {
 public:
  /// Opens the file, which recovery has seen (storage/maintenance/recovery.hpp), and starts the
  /// threads. Throws StorageError. `listener` and `log` must outlive it.
  SqliteStore(SqliteStoreOptions options, store::JournalListener& listener, Log& log);
  ~SqliteStore() override;

  /// Any thread: opens the file again for all reads. Call it if it was opened on a full disk.
  void open_anew();

  transcript::Journal& journal() override { return *journal_; }
  bool shut_down(std::chrono::milliseconds at_most) override;

  // SessionStore
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
  void merge_copy(store::KeptCopy kept, std::string session_id, store::ReadLabel label,
                  store::Done<std::optional<store::PostOutcome>> done) override;

  // TokenStore
  void read_standing(store::TokenUse use, store::TokenClock clock, store::ReadLabel label,
                     store::Done<store::TokenStanding> done) override;
  void list_tokens(store::TokenFilter filter, store::TokenClock clock, store::ReadLabel label,
                   store::Done<store::TokenPage> done) override;
  void save_token(store::ClientToken token, store::TokenClock clock, store::Done<> done) override;
  void revoke_token(std::string id, TimeMs now, store::Done<bool> done) override;
  void revoke_tokens_of_other_keys(std::vector<std::string> keys, TimeMs now,
                                   store::Done<std::vector<std::string>> done) override;

  // AdmissionStore
  void judge_token(store::TokenUse use, store::TokenClock clock,
                   store::Done<store::TokenStanding> done) override;
  void read_usage(std::string user, TimeMs from, TimeMs to,
                  store::Done<transcript::Usage> done) override;
  void note_token_use(std::string token_id, std::string session_id, store::Done<> done) override;
  void open_attempt(store::AttemptSpec spec, store::Done<store::OpenedAttempt> done) override;
  std::unique_ptr<transcript::Spill> new_spill() override;

  // SuspendedStore
  void resume_attempt(store::ResumeRequest request,
                      store::Done<std::optional<store::ResumedAttempt>> done) override;
  void find_suspended(std::string session_id,
                      store::Done<std::optional<store::SuspendedAttempt>> done) override;
  void suspended_before(TimeMs time, std::size_t limit,
                        store::Done<std::vector<store::SuspendedAttempt>> done) override;
  void ending_of(transcript::AttemptId attempt, transcript::CloseReason reason,
                 std::optional<TimeMs> at, store::Done<transcript::Ending> done) override;

  // MovingStore
  void import_session(store::MovedSession session, store::Done<bool> done) override;
  void forget_session(std::string id, store::Done<> done) override;
  void open_sessions(store::Done<std::vector<store::OpenSession>> done) override;
  void find_stored(std::vector<std::string> ids,
                   store::Done<std::vector<store::StoredSession>> done) override;
  void tails_of(std::string id, transcript::Sequence shipped,
                store::Done<std::vector<store::Tail>> done) override;
  void pending_tails(store::Done<std::vector<store::AttemptName>> done) override;
  void end_pending_tail(store::AttemptName attempt, store::Done<> done) override;

  // TailStore
  void start_tail(store::TailRequest request, store::ReadLabel label,
                  store::Done<std::optional<store::TailStart>> done) override;
  void look(store::MergeLane lane, std::vector<store::TailWanted> wanted,
            store::Done<store::TailLook> done) override;

  // RecordingStore
  void read_recording(std::string session_id, std::optional<int> attempt, store::ReadLabel label,
                      store::Done<std::optional<store::RecordedAttempt>> done) override;

  // UploadStore
  void begin_upload(store::Upload upload, store::Done<std::int64_t> done) override;
  void finish_upload(std::int64_t id, TimeMs now, store::Done<bool> done) override;
  void release_uploads(std::string session_id, std::optional<int> attempt, TimeMs now,
                       store::Done<std::int64_t> done) override;
  void release_upload(std::int64_t id, TimeMs now, store::Done<> done) override;
  void forget_upload(std::int64_t id, store::Done<> done) override;
  void uploads_of(std::string session_id, store::ReadLabel label,
                  store::Done<Uploads> done) override;
  void uploads_in(store::UploadState state, std::size_t limit, store::ReadLabel label,
                  store::Done<Uploads> done) override;
  void sessions_uploaded_before(TimeMs time, store::ReadLabel label,
                                store::Done<std::vector<std::string>> done) override;
  void count_uploads(store::ReadLabel label, store::Done<std::int64_t> done) override;

  // RepairStore
  void find_repairable(store::RepairCursor since, std::size_t limit, store::ReadLabel label,
                       store::Done<store::RepairPage> done) override;
  void read_repair(store::RepairableAttempt attempt, store::ReadLabel label,
                   store::Done<store::RepairRecord> done) override;
  void note_repair_try(store::RepairTry one, store::Done<> done) override;
  void forget_repair_tries(store::RepairableAttempt attempt, store::Done<> done) override;
  void keep_repair(store::PostedCopy posted, store::Done<store::KeptCopy> done) override;

  // WebhookStore
  void want_messages(unsigned kinds, store::Done<> done) override;
  std::unique_ptr<store::WebhookOutbox> open_outbox(std::string target,
                                                    store::DeliveryRecords records) override;

  // ShippingStore
  std::unique_ptr<store::Shipping> open_shipping() override;

  // DeliveryStore
  void list_deliveries(store::DeliveryFilter filter, std::vector<store::DeliveryTarget> targets,
                       store::ReadLabel label, store::Done<store::DeliveryPage> done) override;
  void retry_delivery(std::string id, std::vector<store::DeliveryTarget> targets,
                      store::Done<store::RetriedDelivery> done) override;

  // StoreHealth
  store::JournalState state() const override { return journal_->state(); }
  std::size_t queue_bytes() const override { return journal_->queue_bytes(); }
  std::size_t log_bytes() const override { return journal_->log_bytes(); }
  std::string log_readers() const override;
  store::JournalStats take_stats() override { return journal_->take_stats(); }
  void check(Time now) override { journal_->check(now); }
  std::uint64_t writer_steps() override { return journal_->writer_steps(); }
  std::size_t break_off_reads(Time begun_before) override;
  void prove_writable(store::Done<> done) override;

 private:
  /// The reader thread of one merge lane, and its live tail.
  struct Lane {
    Lane(store::MergeLane lane, const std::filesystem::path& file, ReaderThread::Merging merging)
        : reader(file, merging), tail(lane) {}
    ReaderThread reader;
    rows::LiveTail tail;  ///< on the reader's thread
  };

  Lane& lane(store::MergeLane lane) { return lane == store::MergeLane::slow ? slow_ : quick_; }
  template <class Read>
  void read_merged(const std::string& id, const store::ReadLabel& label, Read read,
                   store::Done<ReaderThread::Found<Read>> done);
  std::array<ReaderThread*, 4> readers() {
    return {&reader_, &admission_, &quick_.reader, &slow_.reader};
  }
  std::array<const ReaderThread*, 4> readers() const {
    return {&reader_, &admission_, &quick_.reader, &slow_.reader};
  }

  const std::filesystem::path file_;
  const std::filesystem::path spill_folder_;
  const std::shared_ptr<journal::CommitSignal> commit_signal_;  ///< null: tracks no changes
  std::unique_ptr<journal::SqliteJournal> journal_;
  ReaderThread reader_;
  ReaderThread admission_;  ///< for reads that admit a client
  Lane quick_;
  Lane slow_;
  search::Searcher searcher_;                 ///< on reader_'s thread
  std::unique_ptr<search::Indexer> indexer_;  ///< null: there is no search
  MergeUpkeep quick_upkeep_;
  MergeUpkeep slow_upkeep_;
};

}  // namespace verbatim::sqlite_store
