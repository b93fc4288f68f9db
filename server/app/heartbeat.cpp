#include "server/app/heartbeat.hpp"

#include <boost/asio/post.hpp>
#include <utility>

namespace verbatim::app {

Heartbeat::Heartbeat(std::vector<net::Executor> workers,
                     std::function<std::uint64_t()> journal_steps)
    : journal_steps_(std::move(journal_steps)), last_step_(journal_steps_()) {
  for (net::Executor& executor : workers) workers_.emplace_back(std::move(executor));
  for (Pulse& one : workers_) {
    *one.moved = false;
    asio::post(one.executor, [moved = one.moved] { *moved = true; });
  }
}

std::string Heartbeat::threads_that_hang() {
  std::string hang;
  const auto add = [&hang](const std::string& name) { hang += (hang.empty() ? "" : ", ") + name; };
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    Pulse& one = workers_[i];
    // A thread that hangs still has the question of an earlier call in its queue: do not add
    // another.
    if (!one.moved->exchange(false)) {
      add("worker " + std::to_string(i));
      continue;
    }
    asio::post(one.executor, [moved = one.moved] { *moved = true; });
  }
  const std::uint64_t step = journal_steps_();
  if (std::exchange(last_step_, step) == step) add("journal");
  return hang;
}

net::Awaitable<void> prove_life(net::Executor control, Heartbeat heartbeat,
                                ServiceManager& service_manager, Log& log) {
  net::Timer timer(control);
  while (true) {
    timer.expires_after(service_manager.alive_interval());
    co_await timer.async_wait(net::use_tuple);
    const std::string hang = heartbeat.threads_that_hang();
    if (hang.empty()) {
      service_manager.alive();
    } else {
      log.error("watchdog.withheld",
                {{"threads", hang}, {"now", "the service manager may restart this process"}});
    }
  }
}

}  // namespace verbatim::app
