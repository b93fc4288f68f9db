// Waits of a thread for asynchronous calls.
#include "base/blocking_calls.hpp"

#include <catch2/catch.hpp>
#include <functional>
#include <thread>

using namespace verbatim;

TEST_CASE("a call that answers at once, or on another thread, gives its result", "[base]") {
  BlockingCalls calls;
  CHECK(calls.wait_for<int>([](auto done) { done(7); }) == 7);
  std::thread other;
  CHECK(calls.wait_for<int>([&](auto done) { other = std::thread([done] { done(8); }); }) == 8);
  other.join();
}

TEST_CASE("stop() ends a wait, and an answer that comes after it harms nothing", "[base]") {
  std::function<void(int)> late;
  {
    BlockingCalls calls;
    std::thread stopping;
    const auto never = calls.wait_for<int>([&](auto done) {
      late = done;
      stopping = std::thread([&calls] { calls.stop(); });
    });
    CHECK_FALSE(never.has_value());
    stopping.join();
    CHECK_FALSE(calls.wait_for<int>([](auto) {}).has_value());
    CHECK(calls.wait_for<int>([](auto done) { done(9); }) == 9);
  }
  late(1);
}
