#include "storage/sqlite_store/sqlite_store.hpp"

#include <unistd.h>

#include <atomic>
#include <type_traits>
#include <utility>
#include <variant>

#include "storage/journal/spill_file.hpp"
#include "storage/rows/audio_runs.hpp"
#include "storage/rows/client_tokens.hpp"
#include "storage/rows/copies.hpp"
#include "storage/rows/deliveries.hpp"
#include "storage/rows/merges.hpp"
#include "storage/rows/row_writer.hpp"
#include "storage/rows/webhook_outbox.hpp"
#include "storage/search/search_file.hpp"
#include "storage/sqlite/database.hpp"
#include "storage/sqlite/log_readers.hpp"
#include "storage/sqlite_store/change.hpp"
#include "storage/sqlite_store/sqlite_outbox.hpp"
#include "storage/sqlite_store/sqlite_shipping.hpp"

namespace verbatim::sqlite_store {

namespace {

constexpr const char* tokens_read = "a client token";
constexpr const char* suspended_read = "a suspended session";

std::shared_ptr<journal::CommitSignal> signal_for(journal::JournalOptions& options) {
  if (options.track_changes) options.commit_signal = std::make_shared<journal::CommitSignal>();
  return options.commit_signal;
}

}  // namespace

SqliteStore::SqliteStore(SqliteStoreOptions options, store::JournalListener& listener, Log& log)
    : file_(options.journal.file),
      spill_folder_(std::move(options.spill_folder)),
      commit_signal_(signal_for(options.journal)),
      journal_(std::make_unique<journal::SqliteJournal>(std::move(options.journal), listener)),
      reader_(file_),
      admission_(file_),
      quick_(store::MergeLane::quick, file_, {options.merged_bytes_max / 4, "merger"}),
      slow_(store::MergeLane::slow, file_,
            {options.merged_bytes_max - options.merged_bytes_max / 4, "merger-slow"}),
      searcher_(file_),
      quick_upkeep_(store::MergeLane::quick, quick_.reader, *journal_, log),
      slow_upkeep_(store::MergeLane::slow, slow_.reader, *journal_, log) {
  quick_upkeep_.start();
  slow_upkeep_.start();
  // Without its thread an index would keep the words of sessions that are erased.
  if (!options.search) search::remove_index(search::index_file_of(file_));
  if (options.search)
    indexer_ = std::make_unique<search::Indexer>(file_, options.search_space_min, log);
}

/// The order matters: a reader's last step may write, and the journal's last step may begin another
/// step of a merge.
SqliteStore::~SqliteStore() {
  if (indexer_) indexer_->stop();
  quick_upkeep_.stop();
  slow_upkeep_.stop();
  for (ReaderThread* const reader : readers()) reader->stop();
  journal_.reset();
}

void SqliteStore::open_anew() {
  for (ReaderThread* const reader : readers()) reader->open_anew();
  if (indexer_) indexer_->open_anew();
}

bool SqliteStore::shut_down(std::chrono::milliseconds at_most) {
  quick_upkeep_.stop();
  slow_upkeep_.stop();
  if (indexer_) indexer_->begin_stop();
  return journal_->shut_down(at_most);
}

/// Reads something of a session: on a thread that merges, if writers have posted copies.
template <class Read>
void SqliteStore::read_merged(const std::string& id, const store::ReadLabel& label, Read read,
                              store::Done<ReaderThread::Found<Read>> done) {
  using Quick = std::variant<ReaderThread::Found<Read>, store::MergeLane>;
  const auto unless_copied = [id, read](rows::TranscriptStore& store) -> Quick {
    if (const auto copied = rows::merge_lane(store.database(), id)) return *copied;
    return Quick(std::in_place_index<0>, read(store));
  };
  reader_.run(label, unless_copied,
              [this, label, read, done = std::move(done)](store::StoreResult<Quick> quick) {
                if (!quick) return done(tl::unexpected(std::move(quick).error()));
                if (const auto* const copied = std::get_if<1>(&*quick))
                  return lane(*copied).reader.run(label, read, done);
                done(std::get<0>(*std::move(quick)));
              });
}

// --- SessionStore -------------------------------------------------------------------------------

void SqliteStore::list_sessions(store::SessionFilter filter, store::ReadLabel label,
                                store::Done<store::SessionPage> done) {
  const auto read = [this, filter = std::move(filter)](rows::TranscriptStore& store) {
    return filter.question.empty() ? store.list(filter) : searcher_.search(store, filter);
  };
  reader_.run(std::move(label), read, std::move(done));
}

void SqliteStore::find_session(std::string id, store::ReadLabel label,
                               store::Done<std::optional<store::SessionSummary>> done) {
  const auto read = [id](rows::TranscriptStore& store) { return store.session(id); };
  read_merged(id, label, read, std::move(done));
}

void SqliteStore::find_owner(std::string id, store::ReadLabel label,
                             store::Done<std::optional<std::string>> done) {
  const auto read = [id = std::move(id)](rows::TranscriptStore& store) {
    return store.owner_of(id);
  };
  reader_.run(std::move(label), read, std::move(done));
}

void SqliteStore::read_transcripts(store::TranscriptRequest request, store::ReadLabel label,
                                   store::Done<std::optional<store::TranscriptViews>> done) {
  const auto read = [request](rows::TranscriptStore& store) { return store.read(request); };
  read_merged(request.session_id, label, read, std::move(done));
}

void SqliteStore::sessions_ended_before(TimeMs time, std::size_t limit, store::ReadLabel label,
                                        store::Done<std::vector<std::string>> done) {
  const auto read = [time, limit](rows::TranscriptStore& store) {
    return store.ended_before(time, limit);
  };
  reader_.run(std::move(label), read, std::move(done));
}

void SqliteStore::read_recording(std::string session_id, std::optional<int> attempt,
                                 store::ReadLabel label,
                                 store::Done<std::optional<store::RecordedAttempt>> done) {
  const auto read = [session_id = std::move(session_id), attempt](rows::TranscriptStore& store) {
    return rows::recorded_attempt(store.database(), session_id, attempt);
  };
  reader_.run(std::move(label), read, std::move(done));
}

void SqliteStore::create_session(store::NewSession asked, store::Done<store::MadeSession> done) {
  const auto work = [asked = std::move(asked)](sqlite::Database& database) {
    return rows::create_session(database, asked);
  };
  change(*journal_, work, std::move(done));
}

void SqliteStore::patch_metadata(std::string id, store::MetadataPatch patch, std::size_t bytes_max,
                                 store::Done<> done) {
  const auto work = [id = std::move(id), patch = std::move(patch),
                     bytes_max](sqlite::Database& database) {
    rows::patch_metadata(database, id, patch, bytes_max);
  };
  change(*journal_, work, std::move(done));
}

namespace {

/// The files that may still have text of an erased session: the database with its WAL, the index.
class Leaving {
 public:
  Leaving(std::function<void()> gone, int files) : gone_(std::move(gone)), files_(files) {}
  /// Any thread.
  void left_one() {
    if (--files_ == 0) gone_();
  }
  // On the writer's thread.
  bool committed = false;
  bool database_left = false;

 private:
  const std::function<void()> gone_;
  std::atomic<int> files_;
};

}  // namespace

void SqliteStore::erase_session(std::string id, store::TokenClock clock, store::Done<bool> done,
                                std::function<void()> gone) {
  const auto leaving = std::make_shared<Leaving>(std::move(gone), indexer_ ? 2 : 1);
  const auto work = [id, clock, leaving](sqlite::Database& database) {
    if (rows::has_live_attempt(database, id))
      throw store::StorageError(store::Failure::other,
                                "session " + id + " has a live attempt: end it first");
    const bool erased = rows::erase_session(database, id);
    // Expired tokens that were valid for this session alone.
    if (erased) rows::prune_client_tokens(database, clock.now, clock.window_ms);
    // The WAL may be emptied between two tries of this change, or after both.
    if (erased)
      database.when_log_is_empty([leaving] {
        if (leaving->committed && !std::exchange(leaving->database_left, true)) leaving->left_one();
      });
    return erased;
  };
  const auto next = [this, id, done, leaving](store::StoreResult<bool> erased) {
    leaving->committed = erased && *erased;
    if (!leaving->committed || !indexer_) return done(std::move(erased));
    const auto then = [done](store::StoreResult<> outcome) {
      if (outcome) return done(true);
      done(tl::unexpected(std::move(outcome).error()));
    };
    indexer_->erase(id, then, [leaving] { leaving->left_one(); });
  };
  change(*journal_, work, store::Done<bool>(next));
}

// --- CopyStore ----------------------------------------------------------------------------------

void SqliteStore::compute(store::MergeLane lane, store::ReadLabel label,
                          std::function<void()> work) {
  const auto read = [work = std::move(work)](rows::TranscriptStore&) { work(); };
  this->lane(lane).reader.run(std::move(label), read, [](store::StoreResult<>) {});
}

void SqliteStore::keep_copy(store::PostedCopy posted, store::Done<store::KeptCopy> done) {
  const auto shared = std::make_shared<const store::PostedCopy>(std::move(posted));
  const auto work = [shared](sqlite::Database& database) {
    return rows::keep_copy(database, *shared);
  };
  change(*journal_, work, std::move(done));
}

/// If the outcome cannot be stored, the copy is still kept, and the merge is made later.
void SqliteStore::merge_copy(store::KeptCopy kept, std::string session_id, store::ReadLabel label,
                             store::Done<std::optional<store::PostOutcome>> done) {
  ReaderThread& merger =
      lane(kept.merges_slowly ? store::MergeLane::slow : store::MergeLane::quick).reader;
  const auto read = [kept, session_id = std::move(session_id)](rows::TranscriptStore& store) {
    return store.outcome_of(kept, session_id);
  };
  merger.run(
      label, read,
      [this, &merger, attempt = kept.attempt, share = label.share,
       done = std::move(done)](store::StoreResult<std::optional<store::PostOutcome>> outcome) {
        if (!outcome || !*outcome) return done(std::move(outcome));
        write_down_merge(attempt, merger, *journal_, share, [outcome, done] { done(outcome); });
      });
}

// --- TokenStore ---------------------------------------------------------------------------------

void SqliteStore::read_standing(store::TokenUse use, store::TokenClock clock,
                                store::ReadLabel label, store::Done<store::TokenStanding> done) {
  const auto read = [use = std::move(use), clock](rows::TranscriptStore& store) {
    return rows::token_standing(store.database(), use, clock.now, clock.window_ms);
  };
  reader_.run(std::move(label), read, std::move(done));
}

void SqliteStore::list_tokens(store::TokenFilter filter, store::TokenClock clock,
                              store::ReadLabel label, store::Done<store::TokenPage> done) {
  const auto read = [filter = std::move(filter), clock](rows::TranscriptStore& store) {
    return rows::list_client_tokens(store.database(), filter, clock.now, clock.window_ms);
  };
  reader_.run(std::move(label), read, std::move(done));
}

void SqliteStore::save_token(store::ClientToken token, store::TokenClock clock,
                             store::Done<> done) {
  const auto work = [token = std::move(token), clock](sqlite::Database& database) {
    rows::prune_client_tokens(database, clock.now, clock.window_ms);
    rows::save_client_token(database, token);
  };
  change(*journal_, work, std::move(done));
}

void SqliteStore::revoke_token(std::string id, TimeMs now, store::Done<bool> done) {
  const auto work = [id = std::move(id), now](sqlite::Database& database) {
    return rows::revoke_client_token(database, id, now);
  };
  change(*journal_, work, std::move(done));
}

void SqliteStore::revoke_tokens_of_other_keys(std::vector<std::string> keys, TimeMs now,
                                              store::Done<std::vector<std::string>> done) {
  const auto work = [keys = std::move(keys), now](sqlite::Database& database) {
    return rows::revoke_tokens_of_other_keys(database, keys, now);
  };
  change(*journal_, work, std::move(done));
}

// --- AdmissionStore -----------------------------------------------------------------------------

void SqliteStore::judge_token(store::TokenUse use, store::TokenClock clock,
                              store::Done<store::TokenStanding> done) {
  const auto read = [use = std::move(use), clock](rows::TranscriptStore& store) {
    return rows::token_standing(store.database(), use, clock.now, clock.window_ms);
  };
  admission_.run({tokens_read}, read, std::move(done));
}

void SqliteStore::read_usage(std::string user, TimeMs from, TimeMs to,
                             store::Done<transcript::Usage> done) {
  const auto read = [user = std::move(user), from, to](rows::TranscriptStore& store) {
    return store.used_by(user, from, to);
  };
  admission_.run({"a user's usage"}, read, std::move(done));
}

void SqliteStore::note_token_use(std::string token_id, std::string session_id, store::Done<> done) {
  const auto work = [token_id = std::move(token_id),
                     session_id = std::move(session_id)](sqlite::Database& database) {
    rows::note_token_use(database, token_id, session_id);
  };
  change(*journal_, work, std::move(done));
}

void SqliteStore::open_attempt(store::AttemptSpec spec, store::Done<store::OpenedAttempt> done) {
  journal_->open_attempt(
      std::move(spec), [done = std::move(done)](const store::OpenedAttempt& opened,
                                                const store::StorageError* error) {
        done(error ? store::StoreResult<store::OpenedAttempt>(tl::unexpect, *error) : opened);
      });
}

std::unique_ptr<transcript::Spill> SqliteStore::new_spill() {
  return std::make_unique<journal::SpillFile>(spill_folder_);
}

// --- SuspendedStore -----------------------------------------------------------------------------

void SqliteStore::resume_attempt(store::ResumeRequest request,
                                 store::Done<std::optional<store::ResumedAttempt>> done) {
  // Shared, because a transcript cannot be copied.
  using Found = std::shared_ptr<store::ResumedAttempt>;
  const auto read = [this, request = std::move(request)](rows::TranscriptStore& store) -> Found {
    auto found = store.suspended(request.session_id);
    if (!found || found->user != request.user || found->suspended_at <= request.suspended_after)
      return nullptr;
    auto resumed = std::make_shared<store::ResumedAttempt>();
    resumed->opened.attempt = found->attempt;
    resumed->opened.number = found->number;
    resumed->opened.started_at = found->started_at;
    auto folded = store.folded(found->attempt, {new_spill(), request.items_in_memory});
    resumed->transcript = std::move(folded.transcript);
    resumed->settings_json = found->settings_json.empty() ? std::move(folded.settings_json)
                                                          : std::move(found->settings_json);
    return resumed;
  };
  const auto resume = [this, done = std::move(done)](store::StoreResult<Found> found) {
    if (!found) return done(tl::unexpected(std::move(found).error()));
    if (!*found) return done(std::optional<store::ResumedAttempt>());
    const auto work = [attempt = (*found)->opened.attempt](sqlite::Database& database) {
      rows::resume_attempt(database, attempt);
    };
    change(*journal_, work, [resumed = *found, done](store::StoreResult<> outcome) {
      if (!outcome) return done(tl::unexpected(std::move(outcome).error()));
      done(std::optional<store::ResumedAttempt>(std::move(*resumed)));
    });
  };
  admission_.run({suspended_read}, read, resume);
}

void SqliteStore::find_suspended(std::string session_id,
                                 store::Done<std::optional<store::SuspendedAttempt>> done) {
  const auto read = [session_id = std::move(session_id)](rows::TranscriptStore& store) {
    return store.suspended(session_id);
  };
  admission_.run({suspended_read}, read, std::move(done));
}

void SqliteStore::suspended_before(TimeMs time, std::size_t limit,
                                   store::Done<std::vector<store::SuspendedAttempt>> done) {
  const auto read = [time, limit](rows::TranscriptStore& store) {
    return store.suspended_before(time, limit);
  };
  admission_.run({suspended_read}, read, std::move(done));
}

void SqliteStore::ending_of(transcript::AttemptId attempt, transcript::CloseReason reason,
                            std::optional<TimeMs> at, store::Done<transcript::Ending> done) {
  const auto read = [attempt, reason, at](rows::TranscriptStore& store) {
    transcript::Transcript transcript = store.folded(attempt).transcript;
    transcript::Ending ending;
    ending.reason = reason;
    ending.transcript = transcript::finalise(transcript, at.value_or(transcript.latest()));
    ending.ended_at = transcript.latest();
    return ending;
  };
  admission_.run({suspended_read}, read, std::move(done));
}

// --- TailStore ----------------------------------------------------------------------------------

void SqliteStore::start_tail(store::TailRequest request, store::ReadLabel label,
                             store::Done<std::optional<store::TailStart>> done) {
  const auto read = [request](rows::TranscriptStore& store) {
    return rows::start_tail(store.database(), request.session_id, request.attempt, request.seen);
  };
  read_merged(request.session_id, label, read, std::move(done));
}

void SqliteStore::look(store::MergeLane lane, std::vector<store::TailWanted> wanted,
                       store::Done<store::TailLook> done) {
  Lane& own = this->lane(lane);
  const auto read = [&tail = own.tail, wanted = std::move(wanted)](rows::TranscriptStore& store) {
    store::TailLook look{tail.look(store.database(), wanted), {}};
    look.slow = tail.take_slow();
    return look;
  };
  own.reader.run({"the live feed of watchers"}, read, std::move(done));
}

// --- WebhookStore --------------------------------------------------------------------------------

void SqliteStore::want_messages(unsigned kinds, store::Done<> done) {
  const auto work = [kinds](sqlite::Database& database) { rows::want_messages(database, kinds); };
  change(*journal_, work, std::move(done));
}

std::unique_ptr<store::WebhookOutbox> SqliteStore::open_outbox(std::string target,
                                                               store::DeliveryRecords records) {
  return std::make_unique<SqliteOutbox>(file_, *journal_, std::move(target), std::move(records));
}

// --- ShippingStore ------------------------------------------------------------------------------

std::unique_ptr<store::Shipping> SqliteStore::open_shipping() {
  if (!commit_signal_) return nullptr;
  return std::make_unique<SqliteShipping>(file_, *journal_, commit_signal_);
}

// --- DeliveryStore ------------------------------------------------------------------------------

void SqliteStore::list_deliveries(store::DeliveryFilter filter,
                                  std::vector<store::DeliveryTarget> targets,
                                  store::ReadLabel label, store::Done<store::DeliveryPage> done) {
  const auto read = [filter = std::move(filter),
                     targets = std::move(targets)](rows::TranscriptStore& store) {
    return rows::list_deliveries(store.database(), filter, targets);
  };
  reader_.run(std::move(label), read, std::move(done));
}

void SqliteStore::retry_delivery(std::string id, std::vector<store::DeliveryTarget> targets,
                                 store::Done<store::RetriedDelivery> done) {
  const auto work = [id = std::move(id), targets = std::move(targets)](sqlite::Database& database) {
    return rows::retry_delivery(database, id, targets);
  };
  change(*journal_, work, std::move(done));
}

// --- StoreHealth --------------------------------------------------------------------------------

std::string SqliteStore::log_readers() const {
  std::string names;
  for (const sqlite::LogReader& one : sqlite::readers_of_log(file_)) {
    std::string name = sqlite::in_words(one);
    if (one.process == ::getpid()) {
      std::string reads;
      for (const ReaderThread* const reader : readers())
        if (const auto reading = reader->under_way())
          reads += (reads.empty() ? "" : ", ") + std::string(reading->what);
      name = "this relay: " + (reads.empty() ? "webhooks or a commit" : reads);
    }
    names += (names.empty() ? "" : ", ") + name;
  }
  return names;
}

std::size_t SqliteStore::break_off_reads(Time begun_before) {
  std::size_t broken_off = 0;
  for (ReaderThread* const reader : readers())
    if (reader->break_off_if_begun_before(begun_before)) ++broken_off;
  return broken_off;
}

void SqliteStore::prove_writable(store::Done<> done) {
  change(*journal_, rows::prove_writable, std::move(done));
}

}  // namespace verbatim::sqlite_store
