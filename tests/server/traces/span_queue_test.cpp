// The hand-over of spans: bounded, ordered, and without a lock.
#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "server/traces/otlp_json.hpp"
#include "server/traces/span_queue.hpp"

using namespace verbatim;
using namespace verbatim::traces;

namespace {

Span numbered(std::int64_t writer, std::int64_t number) {
  Span span;
  span.start_us = writer;
  span.end_us = number;
  return span;
}

}  // namespace

TEST_CASE("a full queue drops spans and counts them, until there is room again", "[traces][P11]") {
  SpanQueue queue(3);
  for (int i = 0; i < 5; ++i) queue.push(numbered(0, i));
  CHECK(queue.held() == 3);
  CHECK(queue.dropped() == 2);
  std::vector<Span> taken;
  queue.take(taken);
  REQUIRE(taken.size() == 3);
  CHECK(taken.front().end_us == 0);
  CHECK(taken.back().end_us == 2);
  // Taken spans still wait for the collector.
  queue.push(numbered(0, 5));
  CHECK(queue.dropped() == 3);
  queue.release(2);
  queue.push(numbered(0, 6));
  queue.push(numbered(0, 7));
  queue.push(numbered(0, 8));
  CHECK(queue.held() == 3);
  CHECK(queue.dropped() == 4);
  queue.take(taken);
  REQUIRE(taken.size() == 5);
  CHECK(taken[3].end_us == 6);
}

TEST_CASE("spans of several threads all arrive, each thread's in its order", "[traces]") {
  constexpr std::int64_t writers = 4;
  constexpr std::int64_t each = 5000;
  SpanQueue queue(writers * each);
  std::atomic<int> running{writers};
  std::vector<std::thread> threads;
  for (std::int64_t writer = 0; writer < writers; ++writer) {
    threads.emplace_back([&, writer] {
      for (std::int64_t i = 0; i < each; ++i) queue.push(numbered(writer, i));
      --running;
    });
  }
  std::vector<Span> taken;
  while (running > 0) queue.take(taken);
  for (std::thread& thread : threads) thread.join();
  queue.take(taken);
  CHECK(taken.size() == writers * each);
  CHECK(queue.dropped() == 0);
  std::map<std::int64_t, std::int64_t> next;
  bool in_order = true;
  for (const Span& span : taken) in_order = in_order && span.end_us == next[span.start_us]++;
  CHECK(in_order);
}

TEST_CASE("the collector's count of rejected spans is read in both forms", "[traces]") {
  CHECK(rejected_spans(R"({"partialSuccess":{"rejectedSpans":"3"}})") == 3);
  CHECK(rejected_spans(R"({"partialSuccess":{"rejectedSpans":3,"errorMessage":"m"}})") == 3);
  for (const char* none :
       {"", "{}", "null", R"({"partialSuccess":{}})",
        R"({"partialSuccess":{"rejectedSpans":"-1"}})",
        R"({"partialSuccess":{"rejectedSpans":"3x"}})", R"({"partialSuccess":[]})", "\xFF{{{"})
    CHECK(rejected_spans(none) == 0);
}
