// Long work is done in pieces, one caller at a time.
#include "server/net/turns.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <catch2/catch.hpp>
#include <memory>
#include <string>

using namespace verbatim;
using namespace verbatim::net;

namespace {

/// Takes a turn, does a piece of work that is recorded as `name`, and gives the turn back.
Awaitable<void> work(std::shared_ptr<Turns> turns, char name, std::string& log) {
  const Turns::Turn turn = co_await turns->take();
  log += name;
}

/// Always ready: shows what else the loop runs meanwhile.
void others(asio::io_context& context, std::string& log, int left) {
  if (left == 0) return;
  asio::post(context, [&context, &log, left] {
    log += '.';
    others(context, log, left - 1);
  });
}

}  // namespace

TEST_CASE("pieces of long work that come together are done one at a time, with others between them",
          "[P11][turns]") {
  asio::io_context context{1};
  const auto turns = std::make_shared<Turns>(context.get_executor());
  std::string log;
  for (const char name : {'a', 'b', 'c'})
    asio::co_spawn(context, work(turns, name, log), asio::detached);
  others(context, log, 1000);
  context.run();
  const std::size_t a = log.find('a'), b = log.find('b'), c = log.find('c');
  REQUIRE(c != std::string::npos);
  CHECK(a + 1 < b);
  CHECK(b + 1 < c);
}

TEST_CASE("coroutines that hold a turn or wait for one may be destroyed", "[P11][turns]") {
  std::string log;
  {
    asio::io_context context{1};
    const auto turns = std::make_shared<Turns>(context.get_executor());
    asio::co_spawn(
        context,
        [](std::shared_ptr<Turns> of) -> Awaitable<void> {
          const Turns::Turn turn = co_await of->take();
          AsyncEvent never(co_await asio::this_coro::executor);
          co_await never.wait();
        }(turns),
        asio::detached);
    asio::co_spawn(context, work(turns, 'b', log), asio::detached);
    asio::co_spawn(context, work(turns, 'c', log), asio::detached);
    context.poll();
  }
  CHECK(log.empty());
}

TEST_CASE("after work there is a pause, in which nothing of the kind is done", "[P11][turns]") {
  asio::io_context context{1};
  const auto turns = std::make_shared<Turns>(context.get_executor());
  Clock::time_point ended;
  asio::co_spawn(
      context,
      [&]() -> Awaitable<void> {
        const Turns::Turn turn = co_await turns->take();
        const auto until = Clock::now() + std::chrono::milliseconds(5);
        while (Clock::now() < until) {
        }
        ended = until;
      },
      asio::detached);
  Clock::time_point began;
  asio::co_spawn(
      context,
      [&]() -> Awaitable<void> {
        const Turns::Turn turn = co_await turns->take();
        began = Clock::now();
      },
      asio::detached);
  context.run();
  CHECK(began - ended >= std::chrono::milliseconds(15));  // a timer is never early
}
