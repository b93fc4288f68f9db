// The table of open connections: limits, and which connection is closed to make room.
#include "server/net/connections.hpp"

#include "server/relay/metric_family.hpp"
#include "server/relay/metrics.hpp"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>
#include <optional>

using namespace verbatim;
using namespace verbatim::net;
using namespace verbatim::relay;

namespace {

LogOptions quiet() {
  LogOptions log;
  log.level = LogLevel::error;
  return log;
}

/// A listener's table, and the thread of its connections, which runs when the test says so.
struct Table {
  explicit Table(Connections::Limits limits, const std::vector<std::string>& trusted = {})
      : connections(std::make_shared<Connections>(
            limits, std::make_shared<const TrustedProxies>(networks(trusted)), log)) {
    connections->count_in(metrics.connection_counts());
  }
  static std::vector<config::Network> networks(const std::vector<std::string>& texts) {
    std::vector<config::Network> all;
    for (const std::string& text : texts) all.push_back(config::parse_network(text));
    return all;
  }

  /// The permit of a connection that has a request. Null: refused, and `why` has the reason.
  Connections::PermitPtr take(const std::string& address) {
    auto place = accept(address);
    if (place) place->busy();
    return place;
  }
  /// The same, but its thread has not reached it yet.
  Connections::PermitPtr accept(const std::string& address) {
    auto taken = connections->take(address, thread.get_executor());
    why = taken ? std::nullopt : std::optional(taken.error());
    return taken.value_or(nullptr);
  }
  std::vector<Connections::PermitPtr> take(int count, const std::string& address) {
    std::vector<Connections::PermitPtr> places;
    for (int i = 0; i < count; ++i) {
      places.push_back(take(address));
      REQUIRE(places.back());
    }
    return places;
  }
  Socket socket() {
    Socket made(thread.get_executor());
    made.open(tcp::v4());
    return made;
  }
  void run() {
    thread.restart();
    thread.run();
  }
  /// A connected socket, and its peer's end.
  std::pair<Socket, Socket> pair() {
    asio::basic_socket_acceptor<tcp, Executor> acceptor(thread.get_executor(),
                                                        {asio::ip::address_v4::loopback(), 0});
    Socket peer(thread.get_executor());
    peer.connect(acceptor.local_endpoint());
    Socket accepted(thread.get_executor());
    acceptor.accept(accepted);
    return {std::move(accepted), std::move(peer)};
  }

  asio::io_context thread;
  Log log{quiet()};
  Metrics metrics{1};
  std::shared_ptr<Connections> connections;
  std::optional<ConnectionRefusal> why;
};

}  // namespace

TEST_CASE("one address cannot have every connection", "[connections][P11]") {
  Table table({100, 3});
  auto held = table.take(3, "203.0.113.9");
  CHECK_FALSE(table.take("203.0.113.9"));
  CHECK(table.why == ConnectionRefusal::connections_per_address);
  CHECK_FALSE(table.take("::ffff:203.0.113.9"));
  CHECK(table.take("203.0.113.10"));
  held.pop_back();
  CHECK(table.take("203.0.113.9"));
}

TEST_CASE("of IPv6 a network is one address", "[connections][P11]") {
  Table table({100, 2});
  const auto first = table.take("2001:db8:1:2::1");
  const auto second = table.take("2001:db8:1:2:ffff::9");
  CHECK_FALSE(table.take("2001:db8:1:2::7"));
  CHECK(table.take("2001:db8:1:3::7"));
}

TEST_CASE("loopback and trusted proxies have no limit of their own", "[connections]") {
  Table table({1000, 2}, {"192.0.2.0/24", "fd00::/8"});
  for (const char* address :
       {"127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1", "192.0.2.1", "192.0.2.2", "fd00::7"})
    CHECK(table.take(20, address).size() == 20);
}

TEST_CASE("five hundred behind a trusted proxy are all served", "[connections]") {
  Table table({1024, 256}, {"192.0.2.1"});
  std::vector<Connections::PermitPtr> places;
  for (int client = 0; client < 500; ++client) {
    places.push_back(table.take("192.0.2.1"));
    REQUIRE(places.back());
    const std::string address =
        "203.0." + std::to_string(client / 250) + "." + std::to_string(client % 250);
    REQUIRE(places.back()->belongs_to(address));
  }
  CHECK(table.connections->open() == 500);
}

TEST_CASE("behind a proxy the limit is that of the client's address", "[connections][P11]") {
  Table table({1000, 2}, {"192.0.2.1"});
  auto proxied = table.take(3, "192.0.2.1");
  CHECK(proxied[0]->belongs_to("203.0.113.9"));
  CHECK(proxied[1]->belongs_to("203.0.113.9"));
  CHECK_FALSE(proxied[2]->belongs_to("203.0.113.9"));
  CHECK(proxied[2]->belongs_to("203.0.113.10"));
  CHECK(proxied[0]->belongs_to("203.0.113.9"));  // it belongs to it already
  CHECK_FALSE(table.take("203.0.113.9"));        // directly it is the same address
  proxied.erase(proxied.begin());
  CHECK(table.take("203.0.113.9"));
}

TEST_CASE("the connection that has waited longest goes for a new one", "[connections][P11]") {
  Table table({3, 3});
  auto places = table.take(3, "127.0.0.1");
  Socket first = table.socket();
  Socket second = table.socket();
  places[1]->idle(second);
  places[0]->idle(first);
  const auto newcomer = table.take("203.0.113.9");
  REQUIRE(newcomer);
  table.run();
  CHECK_FALSE(second.is_open());
  CHECK(first.is_open());
  places[1].reset();
  const auto another = table.take("203.0.113.9");
  REQUIRE(another);
  table.run();
  CHECK_FALSE(first.is_open());
  places[0].reset();
  // The third is at work: no idle one is left to close.
  CHECK_FALSE(table.take("203.0.113.9"));
  CHECK(table.why == ConnectionRefusal::connections_max);
  CHECK(table.connections->open() == 3);
}

TEST_CASE("an address makes room by its own idle connections, not by another's", "[connections]") {
  Table table({100, 2});
  const auto others = table.take("203.0.113.10");
  Socket other = table.socket();
  others->idle(other);
  auto places = table.take(2, "203.0.113.9");
  CHECK_FALSE(table.take("203.0.113.9"));
  Socket own = table.socket();
  places[0]->idle(own);
  CHECK(table.take("203.0.113.9"));
  table.run();
  CHECK_FALSE(own.is_open());
  CHECK(other.is_open());
}

TEST_CASE("a connection that gets a request at that moment stays", "[connections]") {
  Table table({2, 2});
  auto places = table.take(2, "127.0.0.1");
  Socket socket = table.socket();
  places[0]->idle(socket);
  const auto newcomer = table.take("127.0.0.1");
  REQUIRE(newcomer);
  places[0]->busy();
  table.run();
  CHECK(socket.is_open());
  // There is one too many now; only after two have gone there is room again.
  CHECK_FALSE(table.take("127.0.0.1"));
  places.pop_back();
  CHECK_FALSE(table.take("127.0.0.1"));
  places.pop_back();
  CHECK(table.take("127.0.0.1"));
}

TEST_CASE("in a flood, connections that their thread has not reached make room, oldest first",
          "[connections][P11]") {
  Table table({3, 3});
  std::vector<Connections::PermitPtr> silent;
  for (int i = 0; i < 3; ++i) silent.push_back(table.accept("203.0.113.9"));
  // No thread has reached any of them; they still count as silent.
  const auto newcomer = table.accept("203.0.113.10");
  REQUIRE(newcomer);
  CHECK(table.accept("203.0.113.11"));
  std::vector<Socket> sockets;
  for (int i = 0; i < 3; ++i) sockets.push_back(table.socket());
  for (std::size_t i = 0; i < 3; ++i) silent[i]->idle(sockets[i]);
  table.run();
  CHECK_FALSE(sockets[0].is_open());
  CHECK_FALSE(sockets[1].is_open());
  CHECK(sockets[2].is_open());
}

TEST_CASE("an address's flood that no thread has come to makes room within that address",
          "[connections][P11]") {
  Table table({100, 2});
  const auto other = table.accept("203.0.113.10");
  auto first = table.accept("203.0.113.9");
  const auto second = table.accept("203.0.113.9");
  const auto third = table.accept("203.0.113.9");
  REQUIRE(third);
  Socket of_first = table.socket(), of_second = table.socket(), of_other = table.socket();
  other->idle(of_other);
  second->idle(of_second);
  first->idle(of_first);
  table.run();
  CHECK_FALSE(of_first.is_open());
  CHECK(of_second.is_open());
  CHECK(of_other.is_open());
  first.reset();
  CHECK(table.connections->open() == 3);
}

TEST_CASE("a connection with unread bytes counts as active, and another one is closed",
          "[connections][P11]") {
  Table table({2, 2});
  auto [speaking, peer] = table.pair();
  auto [silent, silent_peer] = table.pair();
  const auto first = table.accept("203.0.113.9");
  const auto second = table.accept("203.0.113.9");
  first->idle(speaking);
  second->idle(silent);
  asio::write(peer, asio::buffer("GET", 3));
  const auto newcomer = table.accept("203.0.113.9");  // it chooses the first, which spoke meanwhile
  REQUIRE(newcomer);
  newcomer->busy();
  table.run();
  CHECK(speaking.is_open());
  CHECK_FALSE(silent.is_open());
}

TEST_CASE("bytes sent before a thread has reached the connection are not lost",
          "[connections][P11]") {
  Table table({1, 1});
  auto [speaking, peer] = table.pair();
  asio::write(peer, asio::buffer("GET", 3));
  const auto first = table.accept("203.0.113.9");
  const auto newcomer = table.accept("203.0.113.9");
  REQUIRE(newcomer);
  newcomer->busy();
  first->idle(speaking);
  table.run();
  CHECK(speaking.is_open());
  // There is one too many now: the next one is refused.
  first->busy();
  CHECK_FALSE(table.accept("203.0.113.9"));
}

TEST_CASE("a connection that was closed for another is counted once", "[connections]") {
  Table table({1, 1});
  auto first = table.accept("203.0.113.9");
  const auto newcomer = table.accept("203.0.113.9");
  REQUIRE(newcomer);
  newcomer->busy();
  Socket socket = table.socket();
  first->idle(socket);
  table.run();
  first->idle(socket);
  table.run();
  CHECK_FALSE(socket.is_open());
  MetricsPage page;
  table.metrics.add_metrics(page, 0, 0);
  const std::string text = page.text();
  CHECK_THAT(text, Catch::Contains("verbatim_idle_connections_closed_total 1\n"));
  first.reset();
  CHECK(table.connections->open() == 1);
}

TEST_CASE("without a setting an address has a quarter of all connections", "[connections]") {
  config::Server server = config::Settings().server;
  CHECK(connection_limits(server).of_one_address == 1024);
  server.connections_max = 100;
  CHECK(connection_limits(server).of_one_address == 25);
  server.connections_max = 2;
  CHECK(connection_limits(server).of_one_address == 1);
  server.connections_per_address = 7;
  CHECK(connection_limits(server).of_one_address == 7);
}

TEST_CASE("new limits and trusted proxies hold for the next connections, and those there stay",
          "[limits][reload][P11]") {
  Table table({100, 2});
  const auto first = table.take(2, "192.0.2.1");
  CHECK_FALSE(table.take("192.0.2.1"));
  const auto reload = [&](Connections::Limits limits, const std::vector<std::string>& trusted) {
    table.connections->reload(limits,
                              std::make_shared<const TrustedProxies>(Table::networks(trusted)));
  };
  reload({100, 3}, {});
  const auto third = table.take("192.0.2.1");
  CHECK(third);
  reload({100, 1}, {});
  CHECK_FALSE(table.take("192.0.2.1"));
  CHECK(table.connections->open() == 3);
  reload({100, 1}, {"192.0.2.1"});
  CHECK(table.take("192.0.2.1"));
  reload({3, 1}, {"192.0.2.1"});
  CHECK_FALSE(table.take("192.0.2.1"));
}

TEST_CASE("connections that do not wait for a request are busy", "[stop]") {
  Table table({100, 100});
  const auto waits = table.accept("192.0.2.1");
  CHECK(table.connections->busy() == 0);
  auto works = table.take("192.0.2.1");
  CHECK(table.connections->busy() == 1);
  waits->busy();
  CHECK(table.connections->busy() == 2);
  works.reset();
  CHECK(table.connections->busy() == 1);
  CHECK(table.connections->open() == 1);
}
