#include "server/relay/suspended_sessions.hpp"

#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "server/net/from_callback.hpp"

namespace verbatim::relay {

namespace {

/// Limit of one search; the next search continues.
constexpr std::size_t ended_at_a_look_max = 500;
constexpr std::chrono::milliseconds suspended_look_interval{250};

}  // namespace

net::Awaitable<SuspendedSessions::Outcome> SuspendedSessions::take_up(net::Executor executor,
                                                                      std::string session_id,
                                                                      std::string user) {
  if (left_ == 0) co_return Outcome();
  store::ResumeRequest request;
  request.session_id = std::move(session_id);
  request.user = std::move(user);
  request.suspended_after = now().wall - resume_window_.count();
  request.items_in_memory = items_in_memory_;
  const auto start = [&](auto done) { store_.resume_attempt(std::move(request), done); };
  Outcome outcome = co_await net::from_callback<Outcome>(executor, start);
  if (outcome && *outcome) --left_;
  co_return outcome;
}

net::Awaitable<bool> SuspendedSessions::end_one(net::Executor executor,
                                                const std::string& session_id,
                                                transcript::AttemptId attempt,
                                                TimeMs suspended_at) {
  // The id is reserved, so that the conversation cannot be resumed while it is ended.
  const Admission admission = registry_.admit(session_id);
  if (admission != Admission::admitted) co_return admission != Admission::draining;
  const auto start = [&](auto done) {
    store_.ending_of(attempt, transcript::CloseReason::server_shutdown, suspended_at, done);
  };
  auto ending =
      co_await net::from_callback<store::StoreResult<transcript::Ending>>(executor, start);
  if (!ending) {
    log_.warn("session.not_ended", {{"session", session_id}, {"why", ending.error().what()}});
  } else if (journal_.close(attempt, *std::move(ending)) != 0) {
    --left_;
    log_.info("session.ended", {{"session", session_id},
                                {"reason", "server_shutdown"},
                                {"why", "the client did not return after the restart"}});
  }
  registry_.release(session_id);
  co_return true;
}

net::Awaitable<void> SuspendedSessions::end_those_left(net::Executor executor) {
  net::Timer timer(executor);
  // By then all have expired. A conversation whose end could not be stored is ended at the next
  // start.
  const auto until = net::Clock::now() + resume_window_ + std::chrono::minutes(1);
  while (left_ > 0 && net::Clock::now() < until) {
    timer.expires_after(suspended_look_interval);
    co_await timer.async_wait(net::use_tuple);
    using Found = store::StoreResult<std::vector<store::SuspendedAttempt>>;
    const TimeMs before = now().wall - resume_window_.count();
    const auto start = [&](auto done) {
      store_.suspended_before(before, ended_at_a_look_max, done);
    };
    const auto found = co_await net::from_callback<Found>(executor, start);
    if (!found) continue;
    for (const store::SuspendedAttempt& one : *found) {
      if (!co_await end_one(executor, one.session_id, one.attempt, one.suspended_at)) co_return;
    }
  }
}

}  // namespace verbatim::relay
