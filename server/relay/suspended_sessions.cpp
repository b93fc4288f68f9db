#include "server/relay/suspended_sessions.hpp"

#include <memory>
#include <utility>

#include "server/relay/session_driver.hpp"
#include "storage/journal/spill_file.hpp"
#include "storage/store/row_writer.hpp"

namespace verbatim::server {

namespace {

using Suspended = storage::TranscriptStore::SuspendedAttempt;

/// Limit of one search; the next search continues.
constexpr std::size_t ended_at_a_look_max = 500;
constexpr std::chrono::milliseconds suspended_look_interval{250};

/// Carries a result from the store's thread to ours: a transcript cannot be copied.
struct Folded {
  Suspended attempt;
  std::shared_ptr<session::Transcript> transcript;
};

}  // namespace

Awaitable<SuspendedSessions::Outcome> SuspendedSessions::take_up(Executor executor,
                                                                 std::string session_id,
                                                                 std::string user) {
  if (left_ == 0) co_return Outcome();
  const TimeMs oldest = now().wall - resume_window_.count();
  using Found = std::optional<Folded>;
  const auto read = [this, session_id, user, oldest](storage::TranscriptStore& store) -> Found {
    auto attempt = store.suspended(session_id);
    if (!attempt || attempt->user != user || attempt->suspended_at <= oldest) return std::nullopt;
    auto transcript = std::make_shared<session::Transcript>(
        store.folded(attempt->attempt, std::make_unique<storage::SpillFile>(spill_.folder),
                     spill_.items_in_memory));
    return Folded{std::move(*attempt), std::move(transcript)};
  };
  auto found = co_await reader_.run<Found>(executor, read, "a suspended session");
  if (auto* error = std::get_if<1>(&found)) co_return std::move(*error);
  if (!std::get<0>(found)) co_return Outcome();
  Folded& folded = *std::get<0>(found);

  using Failed = std::optional<storage::StorageError>;
  const auto start = [this, attempt = folded.attempt.attempt](auto done) {
    journal_.execute([attempt](storage::Database& db) { storage::resume_attempt(db, attempt); },
                     [done](const storage::StorageError* error) mutable {
                       done(error ? Failed(*error) : Failed());
                     });
  };
  Failed failed = co_await from_callback<Failed>(executor, start);
  if (failed) co_return std::move(*failed);
  --left_;
  Taken taken;
  taken.opened = {folded.attempt.attempt, folded.attempt.number};
  taken.transcript = std::move(*folded.transcript);
  taken.settings_json = std::move(folded.attempt.settings_json);
  co_return Outcome(std::move(taken));
}

Awaitable<bool> SuspendedSessions::end_one(Executor executor, const std::string& session_id,
                                           session::AttemptId attempt, TimeMs suspended_at) {
  // The id is reserved, so that the conversation cannot be resumed while it is ended.
  const Admission admission = registry_.admit(session_id);
  if (admission != Admission::admitted) co_return admission != Admission::draining;
  using Ending = std::shared_ptr<session::Ending>;
  const auto read = [attempt, suspended_at](storage::TranscriptStore& store) {
    auto transcript = store.folded(attempt);
    auto ending = std::make_shared<session::Ending>();
    ending->reason = session::CloseReason::server_shutdown;
    ending->transcript = session::finalise(transcript, suspended_at);
    ending->ended_at = transcript.latest();
    return ending;
  };
  auto read_ending = co_await reader_.run<Ending>(executor, read, "a suspended session");
  if (const auto* error = std::get_if<1>(&read_ending)) {
    log_.warn("session.not_ended", {{"session", session_id}, {"why", error->what()}});
  } else if (journal_.close(attempt, std::move(*std::get<0>(read_ending))) != 0) {
    --left_;
    log_.info("session.ended", {{"session", session_id},
                                {"reason", "server_shutdown"},
                                {"why", "the client did not return after the restart"}});
  }
  registry_.release(session_id);
  co_return true;
}

Awaitable<void> SuspendedSessions::end_those_left(Executor executor) {
  Timer timer(executor);
  // By then all have expired. A conversation whose end could not be stored is ended at the next
  // start.
  const auto until = Clock::now() + resume_window_ + std::chrono::minutes(1);
  while (left_ > 0 && Clock::now() < until) {
    timer.expires_after(suspended_look_interval);
    co_await timer.async_wait(use_tuple);
    using Found = std::vector<Suspended>;
    const TimeMs before = now().wall - resume_window_.count();
    const auto read = [before](storage::TranscriptStore& store) {
      return store.suspended_before(before, ended_at_a_look_max);
    };
    auto found = co_await reader_.run<Found>(executor, read, "a suspended session");
    if (std::holds_alternative<storage::StorageError>(found)) continue;
    for (const Suspended& one : std::get<0>(found)) {
      if (!co_await end_one(executor, one.session_id, one.attempt, one.suspended_at)) co_return;
    }
  }
}

}  // namespace verbatim::server
