// A conversation on its worker, with a journal and a client that the test plays.
#include "server/relay/session_driver.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>
#include <functional>
#include <future>

#include "config/settings.hpp"
#include "server/relay/metrics.hpp"
#include "tests/session/options.hpp"
#include "tests/support/memory_journal.hpp"

using namespace verbatim;
using namespace verbatim::net;
using namespace verbatim::relay;
using verbatim::test::MemoryJournal;

namespace {

/// A client that reads everything at once.
class ReadingClient final : public Peer {
 public:
  ReadingClient(const Executor& executor, std::function<void()> on_message,
                std::uint16_t& close_code)
      : ended_(executor), on_message_(std::move(on_message)), close_code_(close_code) {}

  Awaitable<Received> read() override {
    co_await ended_.wait();
    co_return Received{};
  }
  Sent send(std::span<const Outgoing>) override {
    on_message_();
    return {};
  }
  Awaitable<error_code> drain() override { co_return error_code(); }
  Awaitable<error_code> ping() override { co_return error_code(); }
  Awaitable<void> close(std::uint16_t code, std::string) override {
    close_code_ = code;
    ended_.notify();
    co_return;
  }
  Awaitable<void> shut_down() override { co_return; }
  void abort() override { ended_.notify(); }
  Clock::time_point last_heard() const override { return Clock::now(); }

 private:
  AsyncEvent ended_;
  std::function<void()> on_message_;
  std::uint16_t& close_code_;
};

/// Calls `what` when the worker has done everything that is ready now, `turns` times over.
void later(Worker& worker, int turns, std::function<void()> what) {
  asio::post(worker.executor(), [&worker, turns, what = std::move(what)]() mutable {
    if (turns == 0) return what();
    later(worker, turns - 1, std::move(what));
  });
}

/// The close code of a conversation whose provider cannot be reached. Its end becomes durable after
/// that many looks at the watermark, while the session handles a notification about others' rows.
std::uint16_t closed_after(int looks) {
  Metrics metrics(1);
  Log log({.level = LogLevel::error});
  config::Upstream provider = config::Settings().upstream;
  provider.url = "ws://127.0.0.1:1/v1/realtime";  // nothing listens there
  const Upstream upstream(std::move(provider));
  std::uint16_t close_code = 0;
  std::promise<void> over;
  Worker worker(metrics.tally(0));
  MemoryJournal journal;
  journal.after_sync = [&] { worker.journal_moved(); };
  const auto on_message = [&] {
    later(worker, 20, [&, looks] {
      journal.syncs_after_reads = looks;
      worker.journal_moved();
      later(worker, 20, [&] {
        journal.sync();
        worker.journal_moved();
      });
    });
  };
  asio::co_spawn(
      worker.executor(),
      [&]() -> Awaitable<void> {
        session::RealtimeSession conversation(
            {.session_id = "sess_1", .attempt = 1, .started_at = now().wall},
            session::test::usual_options(), journal, now());
        SessionDriver driver(
            worker, std::move(conversation), journal,
            std::make_unique<ReadingClient>(worker.executor(), on_message, close_code), upstream,
            {.ping_interval = std::chrono::minutes(1), .close_timeout = std::chrono::minutes(1)},
            log);
        co_await driver.run();
        later(worker, 50, [&] { over.set_value(); });
      },
      [](const std::exception_ptr& bug) {
        if (bug) std::rethrow_exception(bug);
      });
  if (over.get_future().wait_for(std::chrono::minutes(1)) != std::future_status::ready) return 0;
  return close_code;
}

}  // namespace

TEST_CASE("a conversation closes when its end becomes durable, also between two looks",
          "[P2][driver]") {
  for (int looks = 0; looks < 12; ++looks) {
    INFO("durable after " << looks << " looks");
    REQUIRE(closed_after(looks) == transcript::close_code(transcript::CloseReason::upstream_lost));
  }
}
