// Finds out whether the threads that carry conversations still move: each worker, and the one that
// writes the journal. The service manager's watchdog ends a process in which one of them hangs.
//
// On the control thread, whose own movement is proved by the call.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "server/app/service_manager.hpp"
#include "server/net/async.hpp"

namespace verbatim::app {

class Heartbeat {
 public:
  /// `workers`: the executor of each worker.
  /// `journal_steps`: see store::StoreHealth::writer_steps().
  Heartbeat(std::vector<net::Executor> workers, std::function<std::uint64_t()> journal_steps);

  /// Names the threads that have not moved since the previous call, separated by commas; empty: all
  /// of them have. Then asks each of them for the next sign.
  std::string threads_that_hang();

 private:
  struct Pulse {
    explicit Pulse(net::Executor of) : executor(std::move(of)) {}
    net::Executor executor;
    std::shared_ptr<std::atomic<bool>> moved = std::make_shared<std::atomic<bool>>(true);
  };

  std::vector<Pulse> workers_;
  std::function<std::uint64_t()> journal_steps_;
  std::uint64_t last_step_ = 0;
};

/// Reports to the service manager's watchdog, at its interval, that all of these threads move.
/// While one hangs, it logs that thread's name instead. Runs as long as the executor.
net::Awaitable<void> prove_life(net::Executor control, Heartbeat heartbeat,
                                ServiceManager& service_manager, Log& log);

}  // namespace verbatim::app
