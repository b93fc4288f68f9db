#include "server/relay/suspended_sessions.hpp"

#include <algorithm>
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

void SuspendedSessions::expect(std::vector<store::WaitingAttempt> waiting) {
  for (store::WaitingAttempt& one : waiting) add(std::move(one));
}

void SuspendedSessions::add(store::WaitingAttempt one) {
  const std::lock_guard lock(mutex_);
  const bool recovering = one.recovering;
  std::string id = one.session_id;
  if (!waiting_.emplace(std::move(id), std::move(one)).second) return;
  if (recovering) ++recovering_;
  left_ = waiting_.size();
}

bool SuspendedSessions::waits(const std::string& session_id) const {
  if (left_ == 0) return false;
  const std::lock_guard lock(mutex_);
  return waiting_.contains(session_id);
}

void SuspendedSessions::forget(const std::string& session_id) {
  if (left_ == 0) return;
  const std::lock_guard lock(mutex_);
  const auto found = waiting_.find(session_id);
  if (found == waiting_.end()) return;
  if (found->second.recovering) --recovering_;
  waiting_.erase(found);
  left_ = waiting_.size();
}

std::size_t SuspendedSessions::others_of(const std::string& user,
                                         const std::string& session_id) const {
  if (left_ == 0) return 0;
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(
      std::count_if(waiting_.begin(), waiting_.end(), [&](const auto& entry) {
        return entry.second.user == user && entry.first != session_id &&
               !registry_.user_of(entry.first);
      }));
}

net::Awaitable<SuspendedSessions::FoundOne> SuspendedSessions::find(net::Executor executor,
                                                                    const std::string& session_id) {
  const auto start = [&](auto done) { store_.find_suspended(session_id, done); };
  co_return co_await net::from_callback<FoundOne>(executor, start);
}

net::Awaitable<SuspendedSessions::Outcome> SuspendedSessions::take_up(net::Executor executor,
                                                                      std::string session_id,
                                                                      std::string user) {
  if (left_ == 0) co_return Outcome();
  store::ResumeRequest request;
  request.session_id = session_id;
  request.user = user;
  request.suspended_after = now().wall - resume_window_.count();
  request.items_in_memory = items_in_memory_;
  const auto start = [&](auto done) { store_.resume_attempt(std::move(request), done); };
  Outcome outcome = co_await net::from_callback<Outcome>(executor, start);
  if (outcome && *outcome) {
    forget(session_id);
  } else if (outcome) {
    co_await end_expired(executor, session_id, user);
  }
  co_return outcome;
}

/// A client that comes too late opens the next attempt, so the one that waited ends first.
net::Awaitable<void> SuspendedSessions::end_expired(net::Executor executor,
                                                    const std::string& session_id,
                                                    const std::string& user) {
  const auto found = co_await find(executor, session_id);
  if (found && *found && (*found)->user == user) co_await close_unreturned(executor, **found);
}

/// Submits the end of an attempt whose session's id is reserved. Returns 0 if that is not possible.
net::Awaitable<transcript::Sequence> SuspendedSessions::close(net::Executor executor,
                                                              const store::SuspendedAttempt& one,
                                                              transcript::CloseReason reason,
                                                              std::string why) {
  // Without a time, the attempt of a killed process ends with its last event.
  const auto at = one.recovering ? std::nullopt : std::optional(one.suspended_at);
  const auto start = [&](auto done) { store_.ending_of(one.attempt, reason, at, done); };
  auto ending =
      co_await net::from_callback<store::StoreResult<transcript::Ending>>(executor, start);
  if (!ending) {
    log_.warn("session.not_ended", {{"session", one.session_id}, {"why", ending.error().what()}});
    co_return 0;
  }
  const transcript::Sequence closed = journal_.close(one.attempt, *std::move(ending));
  if (closed != 0) {
    forget(one.session_id);
    log_.info(
        "session.ended",
        {{"session", one.session_id}, {"reason", transcript::to_string(reason)}, {"why", why}});
  }
  co_return closed;
}

/// The same, for one whose client did not return.
net::Awaitable<transcript::Sequence> SuspendedSessions::close_unreturned(
    net::Executor executor, const store::SuspendedAttempt& one) {
  const transcript::CloseReason reason = one.recovering ? transcript::CloseReason::crash_recovered
                                                        : transcript::CloseReason::server_shutdown;
  std::string why("the client did not return after the restart");
  co_return co_await close(executor, one, reason, std::move(why));
}

/// False if the server drains.
net::Awaitable<bool> SuspendedSessions::end_one(net::Executor executor, std::string session_id) {
  // The id is reserved, so that the conversation cannot be resumed while it is ended.
  const Admission admission = registry_.reserve(session_id);
  if (admission != Admission::admitted) co_return admission != Admission::draining;
  // Since the caller looked, it may have been resumed or erased.
  const auto found = co_await find(executor, session_id);
  if (found && *found) co_await close_unreturned(executor, **found);
  registry_.release(session_id);
  co_return true;
}

net::Awaitable<SuspendedSessions::Ended> SuspendedSessions::end(net::Executor executor,
                                                                std::string session_id,
                                                                std::string why,
                                                                net::Clock::time_point deadline) {
  if (left_ == 0) co_return Ended::none;
  if (registry_.reserve(session_id) != Admission::admitted) co_return Ended::busy;
  const Ended ended = co_await end_reserved(executor, session_id, std::move(why), deadline);
  registry_.release(session_id);
  co_return ended;
}

net::Awaitable<SuspendedSessions::Ended> SuspendedSessions::end_reserved(
    net::Executor executor, const std::string& session_id, std::string why,
    net::Clock::time_point deadline) {
  const auto found = co_await find(executor, session_id);
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
  if (std::exchange(looking_, true)) co_return;
  net::Timer timer(executor);
  // By then all have expired. A conversation whose end could not be stored is ended at the next
  // start.
  const auto until = net::Clock::now() + resume_window_ + std::chrono::minutes(1);
  while (owns_ || (left_ > 0 && net::Clock::now() < until)) {
    timer.expires_after(suspended_look_interval);
    co_await timer.async_wait(net::use_tuple);
    if (left_ == 0 || (owns_ && !owns_())) continue;
    using Found = store::StoreResult<std::vector<store::SuspendedAttempt>>;
    const TimeMs before = now().wall - resume_window_.count();
    const auto start = [&](auto done) {
      store_.suspended_before(before, ended_at_a_look_max, done);
    };
    const auto found = co_await net::from_callback<Found>(executor, start);
    if (!found) continue;
    for (const store::SuspendedAttempt& one : *found) {
      if (!co_await end_one(executor, one.session_id)) co_return;
    }
  }
  looking_ = false;
}

net::Awaitable<void> SuspendedSessions::end_recovering(net::Executor executor,
                                                       net::Clock::time_point deadline) {
  std::vector<std::string> ids;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, one] : waiting_)
      if (one.recovering) ids.push_back(id);
  }
  for (std::string& id : ids) {
    if (net::Clock::now() >= deadline) co_return;
    if (!co_await end_one(executor, std::move(id))) co_return;
  }
}

}  // namespace verbatim::relay
