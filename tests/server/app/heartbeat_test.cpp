// The proof that the threads of conversations move.
#include "server/app/heartbeat.hpp"

#include <catch2/catch.hpp>

using namespace verbatim;
using app::Heartbeat;

namespace {

/// Two workers and a journal, which move only when the test says so.
struct Threads {
  void run(asio::io_context& worker) {
    worker.restart();
    worker.poll();
  }

  asio::io_context first;
  asio::io_context second;
  std::uint64_t steps = 1;
  Heartbeat heartbeat{{first.get_executor(), second.get_executor()}, [this] { return steps; }};
};

}  // namespace

TEST_CASE("a thread that has not moved since the last look is named, until it moves again",
          "[operation][watchdog]") {
  Threads threads;
  const auto all_move = [&] {
    threads.run(threads.first);
    threads.run(threads.second);
    ++threads.steps;
  };
  all_move();
  CHECK(threads.heartbeat.threads_that_hang() == "");

  SECTION("a worker") {
    threads.run(threads.first);
    ++threads.steps;
    CHECK(threads.heartbeat.threads_that_hang() == "worker 1");
    threads.run(threads.first);
    ++threads.steps;
    CHECK(threads.heartbeat.threads_that_hang() == "worker 1");
  }
  SECTION("the journal") {
    threads.run(threads.first);
    threads.run(threads.second);
    CHECK(threads.heartbeat.threads_that_hang() == "journal");
  }
  SECTION("all of them") {
    CHECK(threads.heartbeat.threads_that_hang() == "worker 0, worker 1, journal");
  }
  all_move();
  CHECK(threads.heartbeat.threads_that_hang() == "");
}

TEST_CASE("a worker that hangs is asked once, however often the heartbeat looks",
          "[operation][watchdog][P11]") {
  Threads threads;
  for (int look = 0; look < 5; ++look) threads.heartbeat.threads_that_hang();
  threads.first.restart();
  CHECK(threads.first.poll() == 1);
}
