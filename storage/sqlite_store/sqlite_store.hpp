// The store over SQLite: one database with its journal, and threads that read it.
//
// - The journal's writer makes all changes.
// - One thread reads for the API, one for admission, and two merge posted copies: quick merges, and
//   merges that may take a second or more. So an attempt with many posted copies does not delay
//   posts, reads and event streams of others, and nothing delays the admission of a client.
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
#include "storage/sqlite_store/merge_upkeep.hpp"
#include "storage/sqlite_store/reader_thread.hpp"
#include "storage/store/store.hpp"

namespace verbatim::storage {

struct SqliteStoreOptions {
  JournalOptions journal;
  std::size_t merged_bytes_max = 0;    ///< bytes of copies whose merge is cached
  std::filesystem::path spill_folder;  ///< where long conversations keep older items
};

class SqliteStore final : public Store {
 public:
  /// Opens the file, which recovery has seen (storage/maintenance/recovery.hpp), and starts the
  /// threads. Throws StorageError. `listener` and `log` must outlive it.
  SqliteStore(SqliteStoreOptions options, JournalListener& listener, Log& log);
  ~SqliteStore() override;

  /// Any thread: opens the file again for all reads. Call it if it was opened on a full disk.
  void open_anew();

  session::Journal& journal() override { return *journal_; }
  bool shut_down(std::chrono::milliseconds at_most) override;

  // SessionStore
  void list_sessions(SessionFilter filter, ReadLabel label, Done<SessionPage> done) override;
  void find_session(std::string id, ReadLabel label,
                    Done<std::optional<SessionSummary>> done) override;
  void find_owner(std::string id, ReadLabel label, Done<std::optional<std::string>> done) override;
  void read_transcripts(TranscriptRequest request, ReadLabel label,
                        Done<std::optional<TranscriptViews>> done) override;
  void sessions_ended_before(TimeMs time, std::size_t limit, ReadLabel label,
                             Done<std::vector<std::string>> done) override;
  void create_session(NewSession asked, Done<MadeSession> done) override;
  void patch_metadata(std::string id, MetadataPatch patch, std::size_t bytes_max,
                      Done<> done) override;
  void erase_session(std::string id, TokenClock clock, Done<bool> done) override;

  // CopyStore
  void compute(MergeLane lane, ReadLabel label, std::function<void()> work) override;
  void keep_copy(PostedCopy posted, Done<KeptCopy> done) override;
  void merge_copy(KeptCopy kept, std::string session_id, ReadLabel label,
                  Done<std::optional<PostOutcome>> done) override;

  // TokenStore
  void read_standing(TokenUse use, TokenClock clock, ReadLabel label,
                     Done<TokenStanding> done) override;
  void list_tokens(TokenFilter filter, TokenClock clock, ReadLabel label,
                   Done<TokenPage> done) override;
  void save_token(ClientToken token, TokenClock clock, Done<> done) override;
  void revoke_token(std::string id, TimeMs now, Done<bool> done) override;
  void revoke_tokens_of_other_keys(std::vector<std::string> keys, TimeMs now,
                                   Done<std::vector<std::string>> done) override;

  // AdmissionStore
  void judge_token(TokenUse use, TokenClock clock, Done<TokenStanding> done) override;
  void read_usage(std::string user, TimeMs from, TimeMs to, Done<session::Usage> done) override;
  void note_token_use(std::string token_id, std::string session_id, Done<> done) override;
  void open_attempt(AttemptSpec spec, Done<OpenedAttempt> done) override;
  std::unique_ptr<session::Spill> new_spill() override;

  // SuspendedStore
  void resume_attempt(ResumeRequest request, Done<std::optional<ResumedAttempt>> done) override;
  void suspended_before(TimeMs time, std::size_t limit,
                        Done<std::vector<SuspendedAttempt>> done) override;
  void ending_of(session::AttemptId attempt, session::CloseReason reason, TimeMs at,
                 Done<session::Ending> done) override;

  // TailStore
  void start_tail(TailRequest request, ReadLabel label,
                  Done<std::optional<TailStart>> done) override;
  void look(MergeLane lane, std::vector<TailWanted> wanted, Done<TailLook> done) override;

  // OutboxStore
  void want_messages(unsigned kinds, Done<> done) override;
  std::unique_ptr<Outbox> open_outbox(std::string target) override;

  // StoreHealth
  JournalState state() const override { return journal_->state(); }
  std::size_t queue_bytes() const override { return journal_->queue_bytes(); }
  std::size_t log_bytes() const override { return journal_->log_bytes(); }
  std::string log_readers() const override;
  JournalStats take_stats() override { return journal_->take_stats(); }
  void check(Time now) override { journal_->check(now); }
  std::size_t break_off_reads(Time begun_before) override;
  void prove_writable(Done<> done) override;

 private:
  /// What merges in one lane.
  struct Lane {
    Lane(MergeLane lane, const std::filesystem::path& file, ReaderThread::Merging merging)
        : reader(file, merging), tail(lane) {}
    ReaderThread reader;
    LiveTail tail;  ///< on the reader's thread
  };

  Lane& lane(MergeLane lane) { return lane == MergeLane::slow ? slow_ : quick_; }
  template <class Read>
  void read_merged(const std::string& id, const ReadLabel& label, Read read,
                   Done<ReaderThread::Found<Read>> done);
  std::array<ReaderThread*, 4> readers() {
    return {&reader_, &admission_, &quick_.reader, &slow_.reader};
  }
  std::array<const ReaderThread*, 4> readers() const {
    return {&reader_, &admission_, &quick_.reader, &slow_.reader};
  }

  const std::filesystem::path file_;
  const std::filesystem::path spill_folder_;
  std::unique_ptr<SqliteJournal> journal_;
  ReaderThread reader_;
  ReaderThread admission_;  ///< for reads that admit a client
  Lane quick_;
  Lane slow_;
  MergeUpkeep quick_upkeep_;
  MergeUpkeep slow_upkeep_;
};

}  // namespace verbatim::storage
