// File descriptors are allotted in advance, so that operations that must not fail always get one.
#include "server/net/descriptors.hpp"

#include <vector>

#include <catch2/catch.hpp>

using verbatim::net::Descriptors;

namespace {

std::size_t connections_of(Descriptors& descriptors) {
  std::vector<Descriptors::Lease> held;
  while (auto lease = descriptors.take(1)) held.push_back(std::move(*lease));
  return held.size();
}

}  // namespace

TEST_CASE("connections leave a reserve of file descriptors, at any limit", "[P11][descriptors]") {
  for (const std::size_t limit : {60U, 80U, 256U, 1024U, 65536U}) {
    CAPTURE(limit);
    constexpr std::size_t in_use = 40;
    Descriptors descriptors(limit, in_use);
    const std::size_t connections = connections_of(descriptors);
    CHECK(connections > 0);
    CHECK(connections == descriptors.capacity());
    const std::size_t left = limit - in_use - connections;
    CHECK(left >= std::min<std::size_t>(16, (limit - in_use) / 2));
    CHECK(left <= 300);
  }
}

TEST_CASE("nothing is shared out where nothing is left", "[P11][descriptors]") {
  for (const std::size_t in_use : {20U, 30U}) {
    Descriptors descriptors(20, in_use);
    CHECK(connections_of(descriptors) == 0);
  }
}

TEST_CASE("a conversation is refused before its connection to the provider would fail",
          "[P11][descriptors]") {
  Descriptors descriptors(100, 50);
  std::vector<Descriptors::Lease> connections;
  while (descriptors.capacity() - connections.size() > 1)
    connections.push_back(std::move(descriptors.take(1).value()));
  CHECK_FALSE(descriptors.take(Descriptors::of_a_conversation));
  connections.pop_back();
  {
    const auto conversation = descriptors.take(Descriptors::of_a_conversation);
    CHECK(conversation);
    CHECK_FALSE(descriptors.take(1));
  }
  CHECK(descriptors.take(1));
}

TEST_CASE("a few descriptors are reserved to answer that there are none", "[P11][descriptors]") {
  Descriptors descriptors(100, 50);
  std::vector<Descriptors::Lease> held;
  while (auto lease = descriptors.take(1)) held.push_back(std::move(*lease));
  std::vector<Descriptors::Lease> refusing;
  while (auto lease = descriptors.take_to_refuse()) refusing.push_back(std::move(*lease));
  CHECK(refusing.size() == 4);
  refusing.pop_back();
  CHECK(descriptors.take_to_refuse());
}

TEST_CASE("without a limit of the process there is none here", "[descriptors]") {
  Descriptors descriptors;
  CHECK(descriptors.take(1'000'000));
}
