// One call for many callers that ask at the same time.
#include "server/net/single_flight.hpp"

#include <boost/asio/co_spawn.hpp>
#include <catch2/catch.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace verbatim;
using namespace verbatim::net;

namespace {

constexpr auto for_ever = std::chrono::hours(1);
constexpr auto for_no_time = std::chrono::nanoseconds(0);

/// Many callers of one flight on one thread; the result comes when the test says so.
struct Callers {
  explicit Callers(Clock::duration good_for) : flight(good_for), answered(context.get_executor()) {}

  void call() {
    const auto once = [this]() -> Awaitable<void> {
      const auto ask = [this]() -> Awaitable<std::string> {
        ++asked;
        co_await answered.wait();
        if (fails) throw std::runtime_error("no answer");
        co_return "answer " + std::to_string(asked);
      };
      got.push_back(co_await flight.get(context.get_executor(), ask));
    };
    asio::co_spawn(context, once, [this](std::exception_ptr bug) { failed += bug ? 1 : 0; });
    run();
  }
  void answer() {
    answered.notify();
    run();
  }
  void run() {
    context.restart();
    context.poll();
  }

  asio::io_context context{1};
  SingleFlight<std::string> flight;
  AsyncEvent answered;
  bool fails = false;
  int asked = 0;
  int failed = 0;
  std::vector<std::string> got;
};

}  // namespace

TEST_CASE("a question that many ask at once is asked once", "[http][readyz][P11]") {
  Callers callers(for_no_time);
  for (int i = 0; i < 100; ++i) callers.call();
  CHECK(callers.asked == 1);
  CHECK(callers.got.empty());
  callers.answer();
  CHECK(callers.got == std::vector<std::string>(100, "answer 1"));
  callers.call();  // and made again when the result has expired
  callers.answer();
  CHECK(callers.got.back() == "answer 2");
}

TEST_CASE("an answer is given again while it is good", "[http][readyz][P11]") {
  Callers callers(for_ever);
  callers.call();
  callers.answer();
  for (int i = 0; i < 100; ++i) callers.call();
  CHECK(callers.asked == 1);
  CHECK(callers.got.size() == 101);
}

TEST_CASE("a call that fails fails for all waiters, and is made again", "[http][readyz]") {
  Callers callers(for_ever);
  callers.fails = true;
  for (int i = 0; i < 3; ++i) callers.call();
  callers.answer();
  CHECK(callers.failed == 3);
  callers.fails = false;
  callers.call();
  callers.answer();
  CHECK(callers.got == std::vector<std::string>{"answer 2"});
}

TEST_CASE("callers on several threads get the one answer, each on its own", "[http][readyz]") {
  SingleFlight<int> flight(for_ever);
  std::atomic<int> asked{0};
  std::vector<int> got(4);
  std::vector<std::thread> threads;
  for (int n = 0; n < 4; ++n) {
    threads.emplace_back([&, n] {
      asio::io_context context{1};
      const auto once = [&]() -> Awaitable<void> {
        const auto ask = [&]() -> Awaitable<int> { co_return ++asked; };
        got[n] = co_await flight.get(context.get_executor(), ask);
      };
      asio::co_spawn(context, once, [](std::exception_ptr bug) {
        if (bug) std::rethrow_exception(bug);
      });
      // A waiter's executor has nothing else to do.
      auto work = asio::make_work_guard(context);
      while (got[n] == 0) context.run_one();
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(asked == 1);
  CHECK(got == std::vector<int>(4, 1));
}
