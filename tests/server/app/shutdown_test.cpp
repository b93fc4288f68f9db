// The times of an orderly end.
#include "server/app/shutdown.hpp"

#include <catch2/catch.hpp>

using namespace verbatim;
using app::ShutdownTimes;
using namespace std::chrono_literals;

TEST_CASE("peers are cut a second before the end of the grace, and the journal gets the rest",
          "[operation][stop]") {
  const net::Clock::time_point now(100h);
  using Row =
      std::tuple<std::chrono::milliseconds, std::chrono::milliseconds, std::chrono::milliseconds>;
  const auto [grace, cut, end] = GENERATE(
      table<std::chrono::milliseconds, std::chrono::milliseconds, std::chrono::milliseconds>(
          {Row{8s, 7s, 8s}, Row{2s, 1s, 2s}, Row{1s, 500ms, 1s}, Row{0s, 0s, 1s}}));
  const ShutdownTimes times = ShutdownTimes::within(grace, now);
  CHECK(times.abort_at == now + cut);
  CHECK(times.end_at == now + end);
  CHECK(times.to_flush(times.abort_at) > 0ms);
  CHECK(times.to_flush(times.abort_at) < end - cut);
  CHECK(times.to_flush(times.end_at) == 0ms);
}
