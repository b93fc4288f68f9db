// Attempts that wait for a repair, and sessions that are held.
#include "server/repair/queue.hpp"

#include <catch2/catch.hpp>

using namespace verbatim;
using namespace verbatim::repair;
using QueueClock = Queue::Clock;
using namespace std::chrono_literals;

namespace {

store::RepairableAttempt attempt(const char* session, int number = 1) { return {session, number}; }
const auto not_expected = [] { FAIL("not expected"); };

}  // namespace

TEST_CASE("an attempt waits once, and what is due longest comes first", "[P15][repair]") {
  Queue queue(2);
  queue.add(attempt("a"));
  queue.add(attempt("a"));
  CHECK(queue.size() == 1);
  CHECK(queue.has_room());
  queue.put_back({attempt("b")}, QueueClock::now() - 1h);
  CHECK_FALSE(queue.has_room());
  CHECK(queue.take(QueueClock::now())->attempt == attempt("b"));
  queue.finish();
  CHECK(queue.take(QueueClock::now())->attempt == attempt("a"));
  queue.finish();
  CHECK_FALSE(queue.take(QueueClock::now()));
}

TEST_CASE("a job that was put back waits, unless an operator asks for it", "[P15][repair]") {
  Queue queue(9);
  const auto later = QueueClock::now() + 1h;
  queue.put_back({attempt("a")}, later);
  CHECK_FALSE(queue.take(QueueClock::now()));
  CHECK(queue.next_due() == later);
  queue.ask(attempt("a"));
  const auto job = queue.take(QueueClock::now());
  REQUIRE(job);
  CHECK(job->again);
  queue.ask(attempt("a"));  // while it is in progress
  queue.put_back(*job, later);
  CHECK(queue.take(QueueClock::now()));
}

TEST_CASE("a held session is not taken, and its job in progress has to stop",
          "[P15][repair][erase]") {
  Queue queue(9);
  int done = 0;
  queue.hold(
      "a", [&] { ++done; }, not_expected);
  CHECK(done == 1);
  queue.add(attempt("a"));
  queue.add(attempt("b"));
  CHECK(queue.take(QueueClock::now())->attempt == attempt("b"));
  CHECK_FALSE(queue.must_stop());
  CHECK(queue.next_due() == QueueClock::time_point::max());

  bool interrupted = false;
  queue.hold(
      "b", [&] { ++done; }, [&] { interrupted = true; });
  CHECK(interrupted);
  CHECK(queue.must_stop());
  CHECK(done == 1);
  queue.finish();
  CHECK(done == 2);

  queue.hold(
      "a", [&] { ++done; }, not_expected);
  queue.release("a");
  CHECK_FALSE(queue.take(QueueClock::now()));  // held twice
  queue.release("a");
  CHECK(queue.take(QueueClock::now())->attempt == attempt("a"));
  queue.release("unknown");
}

TEST_CASE("nothing is taken once it stops", "[repair]") {
  Queue queue(9);
  queue.add(attempt("a"));
  queue.stop();
  CHECK(queue.stopping());
  CHECK(queue.must_stop());
  CHECK_FALSE(queue.take(QueueClock::now()));
  queue.wait_until(QueueClock::now() + 1h);
}
