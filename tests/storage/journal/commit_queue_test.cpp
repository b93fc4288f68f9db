// The pace of commits: which jobs wait for the time of the next commit, and which do not.
#include "storage/journal/commit_queue.hpp"
#include "tests/support/journal_driver.hpp"

#include <catch2/catch.hpp>
#include <future>

using namespace verbatim;
using namespace verbatim::journal;
using namespace std::chrono_literals;
using test::patience;

namespace {

constexpr auto no_time_soon = 1h;

Job event() { return {AppendEvent{1, 1000, "text"}, 10}; }

/// A queue whose writer waits for a commit that is not due.
struct Paced {
  Paced() {
    REQUIRE(queue.submit(event()) != 0);
    writer = std::async(std::launch::async, [this] {
      return queue.take(batch, CommitQueue::for_ever, CommitQueue::Clock::now() + no_time_soon);
    });
  }
  ~Paced() {
    if (writer.valid()) queue.stop();
  }
  /// The jobs that the writer took.
  std::size_t taken() {
    REQUIRE(writer.wait_for(patience) == std::future_status::ready);
    REQUIRE(writer.get());
    return batch.size();
  }

  CommitQueue queue{1000};
  std::vector<Job> batch;
  std::future<bool> writer;
};

}  // namespace

TEST_CASE("events wait for the time of the next commit, and go together", "[journal][pacing]") {
  CommitQueue queue{1000};
  std::vector<Job> batch;
  queue.submit(event());
  queue.submit(event());
  const auto due = CommitQueue::Clock::now() + 50ms;
  REQUIRE(queue.take(batch, CommitQueue::for_ever, due));
  CHECK(CommitQueue::Clock::now() >= due);
  CHECK(batch.size() == 2);
}

TEST_CASE("an end, an admission and a change do not wait for a paced commit",
          "[P2][journal][pacing]") {
  Paced paced;
  SECTION("an end") {
    paced.queue.submit({CloseAttempt{1, std::make_unique<transcript::Ending>()}, 10});
  }
  SECTION("an attempt that another process continues") {
    paced.queue.submit({SuspendAttempt{1, std::make_unique<transcript::Handover>()}, 10});
  }
  SECTION("an admission") {
    paced.queue.submit({OpenAttempt{std::make_unique<store::AttemptSpec>(), nullptr}, 10});
  }
  SECTION("a change") { paced.queue.submit({Change{nullptr, nullptr}, 10}); }
  SECTION("a turn with a webhook's message") {
    Job turn{SettleTurn{1, std::make_unique<transcript::Turn>()}, 10};
    turn.urgent = true;
    paced.queue.submit(std::move(turn));
  }
  CHECK(paced.taken() == 2);
}

TEST_CASE("a queue that is hurried, crowded or stopped does not wait for a paced commit",
          "[journal][pacing]") {
  Paced paced;
  SECTION("hurried") {
    paced.queue.hurry();
    CHECK(paced.taken() == 1);
  }
  SECTION("crowded") {
    Job large = event();
    large.bytes = 600;
    paced.queue.submit(std::move(large));
    CHECK(paced.taken() == 2);
  }
  SECTION("stopped") {
    paced.queue.stop();
    CHECK(paced.taken() == 1);
  }
}

TEST_CASE("a hurry concerns only jobs that are queued", "[journal][pacing]") {
  CommitQueue queue{1000};
  std::vector<Job> batch;
  queue.hurry();
  queue.submit(event());
  const auto due = CommitQueue::Clock::now() + 50ms;
  REQUIRE(queue.take(batch, CommitQueue::for_ever, due));
  CHECK(CommitQueue::Clock::now() >= due);
}
