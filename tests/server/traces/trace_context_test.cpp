// The W3C trace context: what is read, what is refused, and what is sampled.
#include <set>
#include <string>

#include <catch2/catch.hpp>

#include "base/crypto.hpp"
#include "server/traces/collector.hpp"
#include "server/traces/trace_context.hpp"

using namespace verbatim;
using namespace verbatim::traces;

namespace {

// The specification's own example.
const std::string example = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

}  // namespace

TEST_CASE("a traceparent is read and written as it was", "[traces]") {
  const auto context = read_traceparent(example);
  REQUIRE(context);
  CHECK(context->sampled);
  CHECK(traceparent(*context) == example);
  std::string unsampled = example;
  unsampled.back() = '0';
  REQUIRE(read_traceparent(unsampled));
  CHECK_FALSE(read_traceparent(unsampled)->sampled);
  CHECK(traceparent(*read_traceparent(unsampled)) == unsampled);
}

TEST_CASE("a later version may have more, and other flags do not matter", "[traces]") {
  CHECK(read_traceparent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"));
  CHECK(read_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03")->sampled);
  CHECK_FALSE(read_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02")->sampled);
}

TEST_CASE("a malformed traceparent is refused", "[traces][P10]") {
  for (const char* bad : {"", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
                          "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
                          "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
                          "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
                          "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                          "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                          "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                          "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                          "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
                          "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01"}) {
    INFO(bad);
    CHECK_FALSE(read_traceparent(bad));
  }
}

TEST_CASE("an attempt has one trace, also in a later process", "[traces][P14]") {
  const TraceId id = trace_of_attempt("sess_1", 2, 1'700'000'000'000);
  CHECK(id == trace_of_attempt("sess_1", 2, 1'700'000'000'000));
  CHECK(id != trace_of_attempt("sess_1", 3, 1'700'000'000'000));
  CHECK(id != trace_of_attempt("sess_2", 2, 1'700'000'000'000));
  CHECK(id != trace_of_attempt("sess_1", 2, 1'700'000'000'001));
  CHECK(is_set(id));
}

TEST_CASE("the sampled part of the traces is as large as the ratio", "[traces]") {
  int within_quarter = 0;
  constexpr int traces = 4000;
  for (int i = 0; i < traces; ++i) {
    const TraceId id = trace_of_attempt("sess", i, 1);
    within_quarter += is_within(id, 0.25) ? 1 : 0;
    CHECK(is_within(id, 1));
    CHECK_FALSE(is_within(id, 0));
    if (is_within(id, 0.25)) CHECK(is_within(id, 0.5));
  }
  CHECK(within_quarter > traces / 5);
  CHECK(within_quarter < traces * 3 / 10);
}

TEST_CASE("ids of spans are not repeated", "[traces]") {
  SpanIds ids;
  std::set<SpanId> seen;
  for (int i = 0; i < 1000; ++i) {
    const SpanId id = ids.next();
    CHECK(is_set(id));
    CHECK(seen.insert(id).second);
  }
  SpanIds others;
  CHECK(seen.insert(others.next()).second);
}

TEST_CASE("only what looks like an id or a code gets into an attribute", "[traces][P10]") {
  CHECK(plain("resp_1-a.b:c/d@e+f") == "resp_1-a.b:c/d@e+f");
  CHECK(plain("two words").empty());
  CHECK(plain("\xC3\xA4").empty());
  CHECK(plain("a\"b").empty());
  CHECK(plain(std::string(128, 'a')).size() == 128);
  CHECK(plain(std::string(129, 'a')).empty());
}

TEST_CASE("the address of traces is made from the collector's base address", "[traces]") {
  CHECK(traces_url("http://c:4318") == "http://c:4318/v1/traces");
  CHECK(traces_url("http://c:4318/") == "http://c:4318/v1/traces");
  CHECK(traces_url("http://c:4318/v1/traces") == "http://c:4318/v1/traces");
  CHECK(traces_url("https://c/api/otel/") == "https://c/api/otel/v1/traces");
  CHECK(traces_url("https://c/otlp?tenant=1") == "https://c/otlp/v1/traces?tenant=1");
}
