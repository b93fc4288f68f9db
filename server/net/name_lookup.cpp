#include "server/net/name_lookup.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace verbatim::net {

namespace {

/// Lives in the frame of the waiting coroutine.
struct Waiter {
  explicit Waiter(const Executor& executor) : event(executor) {}
  AsyncEvent event;
  Addresses found{asio::error::operation_aborted, {}};
};

/// All that the lookup's thread holds. It may outlive the waiter and the waiter's event loop.
struct Shared {
  Shared(const Executor& waits_on, Waiter* who) : executor(waits_on), waiter(who) {}
  std::mutex mutex;
  const Executor executor;
  Waiter* waiter;  ///< null: the waiter is gone. It is destroyed only on its own thread
};

Addresses resolve(const std::string& host, const std::string& port) {
  asio::io_context context;
  Addresses found;
  for (const auto& entry : tcp::resolver(context).resolve(host, port, found.error)) {
    found.endpoints.push_back(entry.endpoint());
  }
  return found;
}

void deliver(const std::shared_ptr<Shared>& shared, Addresses found) {
  const std::lock_guard lock(shared->mutex);
  if (!shared->waiter) return;
  asio::post(shared->executor, [shared, found = std::move(found)]() mutable {
    if (!shared->waiter) return;
    shared->waiter->found = std::move(found);
    shared->waiter->event.notify();
  });
}

}  // namespace

Awaitable<Addresses> look_up(Executor executor, std::string host, std::string port,
                             std::function<void()>& abort) {
  Waiter waiter(executor);
  const auto shared = std::make_shared<Shared>(executor, &waiter);
  struct Leaving {
    Shared& shared;
    ~Leaving() {
      const std::lock_guard lock(shared.mutex);
      shared.waiter = nullptr;
    }
  } const leaving{*shared};
  std::thread([shared, host = std::move(host), port = std::move(port)] {
    deliver(shared, resolve(host, port));
  }).detach();
  abort = [&waiter] { waiter.event.notify(); };
  co_await waiter.event.wait();
  abort = nullptr;
  co_return std::move(waiter.found);
}

}  // namespace verbatim::net
