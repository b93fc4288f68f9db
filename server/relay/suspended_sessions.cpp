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
constexpr std::chrono::milliseconds durable_look_interval{5};

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

/// Submits the end of an attempt whose session's id is reserved. Returns 0 if that is not possible.
net::Awaitable<transcript::Sequence> SuspendedSessions::close(net::Executor executor,
                                                              const store::SuspendedAttempt& one,
                                                              transcript::CloseReason reason,
                                                              std::string why) {
  const auto start = [&](auto done) {
    store_.ending_of(one.attempt, reason, one.suspended_at, done);
  };
  auto ending =
      co_await net::from_callback<store::StoreResult<transcript::Ending>>(executor, start);
  if (!ending) {
    log_.warn("session.not_ended", {{"session", one.session_id}, {"why", ending.error().what()}});
    co_return 0;
  }
  const transcript::Sequence closed = journal_.close(one.attempt, *std::move(ending));
  if (closed != 0) {
    --left_;
    log_.info(
        "session.ended",
        {{"session", one.session_id}, {"reason", transcript::to_string(reason)}, {"why", why}});
  }
  co_return closed;
}

net::Awaitable<bool> SuspendedSessions::end_one(net::Executor executor,
                                                const store::SuspendedAttempt& one) {
  // The id is reserved, so that the conversation cannot be resumed while it is ended.
  const Admission admission = registry_.admit(one.session_id);
  if (admission != Admission::admitted) co_return admission != Admission::draining;
  std::string why("the client did not return after the restart");
  co_await close(executor, one, transcript::CloseReason::server_shutdown, std::move(why));
  registry_.release(one.session_id);
  co_return true;
}

net::Awaitable<SuspendedSessions::Ended> SuspendedSessions::end(net::Executor executor,
                                                                std::string session_id,
                                                                std::string why,
                                                                net::Clock::time_point deadline) {
  if (left_ == 0) co_return Ended::none;
  if (registry_.admit(session_id) != Admission::admitted) co_return Ended::busy;
  const Ended ended = co_await end_reserved(executor, session_id, std::move(why), deadline);
  registry_.release(session_id);
  co_return ended;
}

net::Awaitable<SuspendedSessions::Ended> SuspendedSessions::end_reserved(
    net::Executor executor, const std::string& session_id, std::string why,
    net::Clock::time_point deadline) {
  using Found = store::StoreResult<std::optional<store::SuspendedAttempt>>;
  const auto start = [&](auto done) { store_.find_suspended(session_id, done); };
  const auto found = co_await net::from_callback<Found>(executor, start);
  if (!found) co_return Ended::not_kept;
  if (!*found) co_return Ended::none;
  const auto closed =
      co_await close(executor, **found, transcript::CloseReason::by_operator, std::move(why));
  if (closed == 0) co_return Ended::not_kept;
  net::Timer timer(executor);
  while (journal_.durable() < closed) {
    if (journal_.failed()) co_return Ended::not_kept;
    if (net::Clock::now() >= deadline) co_return Ended::pending;
    timer.expires_after(durable_look_interval);
    co_await timer.async_wait(net::use_tuple);
  }
  co_return Ended::kept;
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
      if (!co_await end_one(executor, one)) co_return;
    }
  }
}

}  // namespace verbatim::relay
