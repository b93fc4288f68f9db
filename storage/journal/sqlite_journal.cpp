#include "storage/journal/sqlite_journal.hpp"

#include <atomic>
#include <future>
#include <thread>
#include <utility>

#include "base/assert.hpp"
#include "base/thread_name.hpp"
#include "storage/journal/checkpointer.hpp"
#include "storage/journal/commit_queue.hpp"
#include "storage/journal/writer.hpp"
#include "storage/rows/change_tracking.hpp"
#include "storage/rows/event_codec.hpp"
#include "storage/rows/row_writer.hpp"
#include "storage/sqlite/database.hpp"

namespace verbatim::journal {
namespace {

std::size_t size_of(const transcript::Turn& turn) {
  return sizeof turn + turn.item_id.size() + turn.text.size_bytes() + turn.reason.size() +
         turn.response_id.size() +
         (turn.heard && turn.heard->text ? turn.heard->text->size_bytes() : 0);
}

std::size_t size_of(const transcript::Ending& ending) {
  std::size_t size = sizeof ending + ending.transcript.usage_json.size();
  for (const transcript::Turn& turn : ending.transcript.turns) size += size_of(turn);
  for (const transcript::ToolCall& call : ending.transcript.tool_calls)
    size += transcript::size_of(call);
  for (const transcript::Gap& gap : ending.transcript.gaps) size += sizeof gap + gap.item_id.size();
  return size;
}

/// Marks the file as in use: until an orderly end, the next start must check it. The checkpoint
/// also syncs what an earlier process left in the WAL; a checkpointer relies on that.
const JournalOptions& mark_in_use(sqlite::Database& database, const JournalOptions& options) {
  sqlite::Transaction transaction(database);
  rows::set_clean(database, false);
  options.track_changes ? rows::track_changes(database) : rows::forget_changes(database);
  transaction.commit();
  // The mark goes into the database itself: in the WAL alone, it would be lost with the WAL.
  database.checkpoint(sqlite::Database::Checkpoint::passive);
  return options;
}

/// Everything that needs the open file.
struct OpenJournal {
  OpenJournal(const JournalOptions& options, CommitQueue& queue, store::JournalListener& listener)
      : database(options.file, {.access = sqlite::Access::create,
                                .durability = options.durability,
                                .busy_timeout_ms = options.busy_timeout_ms}),
        checkpointer(mark_in_use(database, options), queue),
        writer(options, database, queue, checkpointer, listener) {
    queue.begin_after(rows::highest_sequence(database));
  }
  sqlite::Database database;
  Checkpointer checkpointer;
  Writer writer;
};

constexpr std::chrono::milliseconds open_try_in{1000};

}  // namespace

struct SqliteJournal::Impl {
  Impl(JournalOptions from, store::JournalListener& notified)
      : options(std::move(from)), listener(notified), queue(options.queue_bytes_max) {
    if (options.begin_without) {
      queue.hold(*options.begin_without);
    } else {
      open();
    }
    thread = std::thread([this] {
      name_this_thread("journal");
      if (wait_until_open()) opened->writer.run();
      over.set_value();
    });
  }
  ~Impl() {
    queue.stop();
    thread.join();
  }

  void open() {
    opened = std::make_unique<OpenJournal>(options, queue, listener);
    writer.store(&opened->writer, std::memory_order_release);
  }

  /// False if it was stopped first, or if the file cannot be opened for a reason that does not
  /// pass.
  bool wait_until_open() {
    if (opened) return true;
    while (queue.pause(open_try_in)) {
      try {
        std::error_code none_there;
        if (!options.ballast.empty()) std::filesystem::remove(options.ballast, none_there);
        if (options.prepare) options.prepare();
        open();
        listener.on_recovered();
        return true;
      } catch (const store::StorageError& error) {
        if (store::passes(error.failure())) continue;
        if (queue.break_off(error)) listener.on_failed(error.failure(), error.what());
        return false;
      }
    }
    return false;
  }

  transcript::Sequence submit(Job job, std::size_t bytes) {
    job.bytes = sizeof(Job) + bytes;
    return queue.submit(std::move(job));
  }

  const JournalOptions options;
  store::JournalListener& listener;
  CommitQueue queue;
  std::unique_ptr<OpenJournal> opened;
  std::atomic<Writer*> writer{nullptr};  ///< null until the file is open
  std::promise<void> over;
  std::future<void> end = over.get_future();
  std::thread thread;
};

SqliteJournal::SqliteJournal(JournalOptions options, store::JournalListener& listener)
    : impl_(std::make_unique<Impl>(std::move(options), listener)) {}

bool SqliteJournal::shut_down(std::chrono::milliseconds at_most) {
  impl_->queue.stop();
  return impl_->end.wait_for(at_most) == std::future_status::ready;
}

SqliteJournal::~SqliteJournal() = default;

transcript::Taken SqliteJournal::append(transcript::AttemptId attempt, TimeMs at,
                                        const transcript::Event& event) {
  VERBATIM_EXPECTS(!std::holds_alternative<transcript::AudioDelta>(event.body));
  std::string body = rows::encode_event(event);
  const std::size_t size = body.size();
  AppendEvent append{attempt, at, std::move(body)};
  if (const auto* const placed = std::get_if<transcript::AudioPlaced>(&event.body))
    append.audio = std::make_unique<transcript::AudioPlaced>(*placed);
  return {impl_->submit({std::move(append)}, size), size};
}

transcript::Taken SqliteJournal::settle(transcript::AttemptId attempt,
                                        const transcript::Turn& turn) {
  const std::size_t size = size_of(turn);
  Job job{SettleTurn{attempt, std::make_unique<transcript::Turn>(turn)}};
  job.urgent = impl_->options.turns_are_urgent;
  return {impl_->submit(std::move(job), size), size};
}

transcript::Sequence SqliteJournal::close(transcript::AttemptId attempt,
                                          transcript::Ending ending) {
  const std::size_t bytes = size_of(ending);
  return impl_->submit(
      {CloseAttempt{attempt, std::make_unique<transcript::Ending>(std::move(ending))}}, bytes);
}

transcript::Sequence SqliteJournal::mark(transcript::AttemptId attempt,
                                         transcript::SessionStatus status) {
  return impl_->submit({MarkAttempt{attempt, status}}, 0);
}

transcript::Sequence SqliteJournal::suspend(transcript::AttemptId attempt,
                                            const transcript::Handover& handover) {
  return impl_->submit({SuspendAttempt{attempt, std::make_unique<transcript::Handover>(handover)}},
                       sizeof handover + handover.settings_json.size());
}

transcript::Sequence SqliteJournal::durable() const {
  const Writer* const writer = impl_->writer.load(std::memory_order_acquire);
  return writer ? writer->durable() : 0;
}

bool SqliteJournal::failed() const {
  const Writer* const writer = impl_->writer.load(std::memory_order_acquire);
  return !writer || writer->failed();
}

bool SqliteJournal::crowded() const { return impl_->queue.crowded(); }

void SqliteJournal::hurry() { impl_->queue.hurry(); }

store::JournalState SqliteJournal::state() const {
  if (const Writer* const writer = impl_->writer.load(std::memory_order_acquire))
    return writer->state();
  return impl_->queue.broken() ? store::JournalState::failed : store::JournalState::unavailable;
}

void SqliteJournal::check(std::chrono::steady_clock::time_point now) {
  if (Writer* const writer = impl_->writer.load(std::memory_order_acquire)) writer->check(now);
}

bool SqliteJournal::stuck() const {
  const Writer* const writer = impl_->writer.load(std::memory_order_acquire);
  return writer && writer->stuck();
}

std::uint64_t SqliteJournal::writer_steps() {
  impl_->queue.nudge();
  return impl_->queue.steps();
}

std::size_t SqliteJournal::queue_bytes() const { return impl_->queue.bytes(); }

std::size_t SqliteJournal::log_bytes() const {
  const Writer* const writer = impl_->writer.load(std::memory_order_acquire);
  return writer ? writer->log_bytes() : 0;
}

void SqliteJournal::open_attempt(
    store::AttemptSpec spec,
    std::function<void(store::OpenedAttempt, const store::StorageError*)> done) {
  const std::size_t size = sizeof spec + spec.metadata.size();
  Job job{OpenAttempt{std::make_unique<store::AttemptSpec>(std::move(spec)), done}};
  if (impl_->submit(std::move(job), size) != 0) return;
  const store::StorageError why = impl_->queue.refusal();
  done({}, &why);
}

void SqliteJournal::execute(std::function<void(sqlite::Database&)> work,
                            std::function<void(const store::StorageError*)> done) {
  if (impl_->submit({Change{std::move(work), done}}, 0) != 0) return;
  const store::StorageError why = impl_->queue.refusal();
  done(&why);
}

void SqliteJournal::import(transcript::Sequence numbers,
                           std::function<void(sqlite::Database&, transcript::Sequence last)> work,
                           std::function<void(const store::StorageError*)> done) {
  const auto numbered = [work = std::move(work)](sqlite::Database& database) {
    work(database, database.change_number());
  };
  Job job{Change{numbered, done, /*opens=*/true}};
  job.numbers = numbers;
  if (impl_->submit(std::move(job), 0) != 0) return;
  const store::StorageError why = impl_->queue.refusal();
  done(&why);
}

transcript::Sequence SqliteJournal::durable_in_database() const {
  const Writer* const writer = impl_->writer.load(std::memory_order_acquire);
  return writer ? writer->durable_in_database() : 0;
}

void SqliteJournal::note_shipped(transcript::Sequence upto, bool resumed,
                                 std::function<void(bool, const store::StorageError*)> done) {
  const auto marks = std::make_shared<bool>(false);
  const auto work = [upto, resumed, marks](sqlite::Database& database) {
    if (resumed)
      *marks = rows::resume_shipping(database, upto);
    else
      rows::note_shipped(database, upto);
  };
  execute(work, [this, upto, marks, done = std::move(done)](const store::StorageError* error) {
    // On the writer's thread, if there was no error.
    if (error == nullptr) impl_->opened->writer.note_shipped(upto);
    done(*marks, error);
  });
}

store::JournalStats SqliteJournal::take_stats() {
  Writer* const writer = impl_->writer.load(std::memory_order_acquire);
  return writer ? writer->take_stats() : store::JournalStats{};
}

}  // namespace verbatim::journal
