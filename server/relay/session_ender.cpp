#include "server/relay/session_ender.hpp"

#include <algorithm>
#include <utility>

#include "server/net/from_callback.hpp"

namespace verbatim::relay {

namespace {

constexpr std::chrono::milliseconds ender_look_interval{100};

}  // namespace

net::Awaitable<SessionEnder::Outcome> SessionEnder::end(net::Executor executor,
                                                        std::string session_id, std::string why,
                                                        net::Clock::time_point deadline) {
  while (true) {
    const auto changed = registry_.watch(session_id, executor);
    const auto start = [&](auto done) {
      registry_.end(session_id, transcript::CloseReason::by_operator, why, std::move(done));
    };
    const auto running = co_await net::from_callback<Ended>(executor, deadline, start);
    if (!running) co_return Outcome::pending;
    if (*running == Ended::kept) co_return Outcome::ended;
    if (*running == Ended::not_kept) co_return Outcome::not_kept;
    if (*running == Ended::suspended) co_return Outcome::restarting;
    // A session that is being opened, closed or erased has its id reserved, and no driver.
    if (!registry_.user_of(session_id)) {
      using Left = SuspendedSessions::Ended;
      switch (co_await suspended_.end(executor, session_id, why, deadline)) {
        case Left::none:
          co_return Outcome::nothing;
        case Left::kept:
          co_return Outcome::ended;
        case Left::pending:
          co_return Outcome::pending;
        case Left::not_kept:
          co_return Outcome::not_kept;
        case Left::busy:
          if (registry_.draining()) co_return Outcome::restarting;
          break;
      }
    }
    if (net::Clock::now() >= deadline) co_return Outcome::pending;
    co_await changed->wait_until(std::min(deadline, net::Clock::now() + ender_look_interval));
  }
}

}  // namespace verbatim::relay
