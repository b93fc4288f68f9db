// The orderly end of the process: one deadline (server.shutdown_grace) for closes, requests and the
// journal's flush.
//
// drain() runs on the control thread.
#pragma once

#include <boost/asio/basic_signal_set.hpp>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/log.hpp"
#include "server/api/live_feed.hpp"
#include "server/net/async.hpp"
#include "server/net/listener.hpp"
#include "server/relay/session_registry.hpp"
#include "server/relay/worker.hpp"

namespace verbatim::app {

struct ShutdownTimes {
  net::Clock::time_point begun_at;
  net::Clock::time_point abort_at;  ///< connections that are still open are aborted
  net::Clock::time_point end_at;    ///< the process is gone

  /// Connections are aborted a second before the end; within a grace of less than two seconds, half
  /// way. A grace of less than a second still leaves the journal a second for its flush.
  static ShutdownTimes within(std::chrono::milliseconds grace, net::Clock::time_point now);

  /// The first half is for what must end before the conversations do.
  net::Clock::time_point half_way() const { return begun_at + (abort_at - begun_at) / 2; }
  /// The time for the journal to write what it has.
  std::chrono::milliseconds to_flush(net::Clock::time_point now) const;
};

/// Ends the process at a given time, if a thread still hangs then. Everything that was acknowledged
/// is on the disk by that time, or the next start recovers it.
class LastResort {
 public:
  /// `log` must outlive it.
  explicit LastResort(Log& log) : log_(log) {}
  ~LastResort();
  LastResort(const LastResort&) = delete;
  LastResort& operator=(const LastResort&) = delete;

  /// Call it once.
  void arm(net::Clock::time_point at);
  /// The journal is closed in order: from now on the process ends with this code, not with 1.
  void journal_closed(int exit_code);

 private:
  void wait(net::Clock::time_point at);

  Log& log_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool over_ = false;
  int exit_code_ = 1;
  std::thread thread_;
};

using Signals = asio::basic_signal_set<net::Executor>;

struct DrainParts {
  net::Executor control;
  Signals& signals;  ///< one more ends the wait for peers
  relay::Registry& registry;
  net::Listener& listener;
  api::LiveFeed& feed;
  const std::vector<std::unique_ptr<relay::Worker>>& workers;
};

/// Waits until all sessions have ended and all requests are answered, and aborts the connections of
/// peers that take too long. The registry drains already. Each of the conversations has handed its
/// last record to the journal when this returns.
net::Awaitable<void> drain(DrainParts parts, ShutdownTimes times);

}  // namespace verbatim::app
