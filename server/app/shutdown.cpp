#include "server/app/shutdown.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <csignal>
#include <cstdlib>

#include "base/thread_name.hpp"
#include "server/net/from_callback.hpp"

namespace verbatim::app {

namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr auto flush_time = std::chrono::seconds(1);

/// Part of the flush time that is left for the end of the threads behind the journal.
constexpr auto after_the_flush = milliseconds(200);

/// Time for the process to exit: at the end of the grace it must have exited, not only have begun
/// to.
constexpr auto leave_time = milliseconds(50);

/// Time for event-stream subscribers to read the last events; a slower one must reconnect.
constexpr auto last_look_max = std::chrono::seconds(1);

/// Time for requests to be answered. A slow upload must not delay the next process.
constexpr auto requests_last_max = std::chrono::seconds(2);

/// Time for the conversations of aborted connections to end.
constexpr auto abort_time = milliseconds(250);

constexpr auto requests_look_interval = milliseconds(10);

/// Returns when each worker has run everything that is in its queue now.
net::Awaitable<void> workers_reached(const DrainParts& parts, net::Clock::time_point deadline) {
  for (const auto& worker : parts.workers) {
    const auto reached = [&worker](auto done) {
      asio::post(worker->executor(), [done]() mutable { done(true); });
    };
    co_await net::from_callback<bool>(parts.control, deadline, reached);
  }
}

net::Awaitable<void> requests_answered(const DrainParts& parts, const bool& hurry,
                                       net::Clock::time_point deadline) {
  net::Timer timer(parts.control);
  while (parts.listener.busy() > 0 && !hurry && net::Clock::now() < deadline) {
    timer.expires_after(requests_look_interval);
    co_await timer.async_wait(net::use_tuple);
  }
}

}  // namespace

ShutdownTimes ShutdownTimes::within(milliseconds grace, net::Clock::time_point now) {
  const milliseconds whole = std::max(grace, duration_cast<milliseconds>(flush_time));
  const auto flush = std::min<milliseconds>(flush_time, grace / 2);
  return {now, now + grace - flush, now + whole};
}

milliseconds ShutdownTimes::to_flush(net::Clock::time_point now) const {
  return std::max(duration_cast<milliseconds>(end_at - now) - after_the_flush, milliseconds(0));
}

LastResort::~LastResort() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void LastResort::arm(net::Clock::time_point at) {
  thread_ = std::thread([this, at] {
    name_this_thread("last resort");
    // This thread outlives the handlers of signals. It blocks all signals, because a late one would
    // otherwise end the process.
    sigset_t every;
    sigfillset(&every);
    pthread_sigmask(SIG_BLOCK, &every, nullptr);
    wait(at);
  });
}

void LastResort::journal_closed(int exit_code) {
  const std::lock_guard lock(mutex_);
  exit_code_ = exit_code;
}

void LastResort::wait(net::Clock::time_point at) {
  std::unique_lock lock(mutex_);
  if (changed_.wait_until(lock, at - leave_time, [this] { return over_; })) return;
  log_.warn("server.cut_off", {{"why", "a thread did not end within server.shutdown_grace"},
                               {"now", "the process ends at once"}});
  std::_Exit(exit_code_);
}

net::Awaitable<void> drain(DrainParts parts, ShutdownTimes times) {
  const auto empty = parts.registry.watch_empty(parts.control);
  bool hurry = false;
  parts.signals.async_wait([&hurry, empty](error_code ec, int) {
    if (ec) return;
    hurry = true;
    empty->notify();
  });
  // Even a hurried end waits for this: once a worker comes this far, each of its conversations
  // has handed its last record to the journal.
  co_await workers_reached(parts, times.abort_at);
  while (parts.registry.live() > 0 && !hurry && net::Clock::now() < times.abort_at)
    co_await empty->wait_until(times.abort_at);
  if (parts.registry.live() > 0) {
    parts.registry.abort_all();
    const auto abort_by = std::min(times.end_at, net::Clock::now() + abort_time);
    co_await workers_reached(parts, abort_by);
    while (parts.registry.live() > 0 && net::Clock::now() < abort_by)
      co_await empty->wait_until(abort_by);
  }
  if (!hurry) {
    const auto shown = std::min(times.abort_at, net::Clock::now() + last_look_max);
    co_await parts.feed.close(parts.control, shown);
    co_await requests_answered(parts, hurry,
                               std::min(times.abort_at, times.begun_at + requests_last_max));
  }
  parts.signals.cancel();
}

}  // namespace verbatim::app
