// Lets a coroutine await work of another thread that ends with a callback.
#pragma once

#include <boost/asio/post.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "server/net/async.hpp"

namespace verbatim::net {

/// Calls `start(done)` and waits for `done(result)`. `done` may be called from any thread, once or
/// never; the coroutine resumes on `executor`. Returns empty if there is no result by the deadline.
template <class Result, class Start>
Awaitable<std::optional<Result>> from_callback(Executor executor, Clock::time_point deadline,
                                               Start start) {
  struct State {
    explicit State(const Executor& on) : event(on) {}
    AsyncEvent event;
    std::optional<Result> result;
  };
  const auto state = std::make_shared<State>(executor);
  start([state, executor](Result result) {
    asio::post(executor, [state, result = std::move(result)]() mutable {
      state->result = std::move(result);
      state->event.notify();
    });
  });
  while (!state->result && Clock::now() < deadline) co_await state->event.wait_until(deadline);
  co_return std::move(state->result);
}

/// The same without a deadline: waits at most as long as the executor runs.
template <class Result, class Start>
Awaitable<Result> from_callback(Executor executor, Start start) {
  auto result = co_await from_callback<Result>(executor, Clock::time_point::max(), start);
  co_return std::move(*result);
}

}  // namespace verbatim::net
