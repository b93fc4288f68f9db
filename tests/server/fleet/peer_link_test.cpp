// A client at the wrong node, over real sockets and real TLS: node B passes its request on to node
// A.
#include "server/fleet/peers/peer_link.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>
#include <future>

#include "server/net/listener.hpp"
#include "server/net/tls.hpp"
#include "server/net/ws_handshake.hpp"
#include "server/relay/metrics.hpp"
#include "server/relay/worker.hpp"
#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::net;
using verbatim::test::TempDir;

namespace {

using Where = relay::SessionHome::Where;

/// Sessions live where the test puts them.
class Homes final : public relay::SessionDirectory {
 public:
  explicit Homes(std::int64_t incarnation) : incarnation_(incarnation) {}
  void find(const std::string&, relay::Purpose,
            std::function<void(relay::SessionHome)> done) override {
    const std::lock_guard lock(mutex_);
    done(home_);
  }
  void forget(const std::string&) override {
    const std::lock_guard lock(mutex_);
    ++forgotten_;
    if (next_.where != Where::unknown) home_ = next_;
  }
  std::int64_t incarnation() const override { return incarnation_; }

  void put(const relay::Node& node) { home_ = {Where::elsewhere, node}; }
  /// The home after the present one turns out to be wrong.
  void put_next(const relay::Node& node) { next_ = {Where::elsewhere, node}; }
  int forgotten() const { return forgotten_; }

 private:
  const std::int64_t incarnation_;
  std::mutex mutex_;
  relay::SessionHome home_;
  relay::SessionHome next_;
  int forgotten_ = 0;
};

/// A node that runs sessions, or passes requests on for those that it does not run.
class RunningNode {
 public:
  RunningNode(std::int64_t incarnation, const TempDir& dir)
      : homes(incarnation),
        settings_(std::make_shared<const config::Settings>()),
        files_(ensure_self_signed(dir.path())),
        link(peers::PeerParts{settings_, authenticator_, homes, log_},
             peers::PeerOptions{files_.certificate, std::chrono::seconds(10),
                                std::chrono::seconds(2)}),
        service_(*this),
        worker_(metrics_.tally(0)),
        tls_(server_context(files_)),
        listener_(worker_.executor(), Endpoint{"127.0.0.1", 0}, &tls_,
                  http_limits(config::Settings().server), {100, 100},
                  {{worker_.executor(), &service_}}, log_) {
    listener_.start();
  }
  ~RunningNode() { worker_.join(); }

  relay::Node address() const { return {homes.incarnation(), listener_.url()}; }
  std::string authority() const { return address().url.substr(address().url.find("//") + 2); }
  Executor executor() { return worker_.executor(); }

  Homes homes;
  bool runs = true;  ///< it runs the session itself
  int misdirected_answers = 0;

 private:
  struct Service final : HttpService {
    explicit Service(RunningNode& of) : node(of) {}
    void canonicalise(HttpRequest& request) const override { node.link.recognise(request); }
    BodyVerdict judge_body(const HttpRequest&) override {
      BodyVerdict verdict;
      verdict.read = true;
      return verdict;
    }
    Awaitable<HttpResponse> answer(HttpRequest request) override {
      if (!node.runs)
        co_return (co_await node.link.ask(node.executor(), std::move(request), "sess_1",
                                          co_await node.home()))
            .response;
      HttpResponse response;
      if (request.path == "/v1/moved") {
        ++node.misdirected_answers;
        response.status = relay::misdirected;
        co_return response;
      }
      if (request.path.starts_with("/fleet")) response.status = 404;
      response.headers.emplace_back("ETag", "\"tag\"");
      if (request.path == "/v1/long") {
        response.body.assign(300'000, 'x');
        co_return response;
      }
      response.body = request.method + " " + request.path + " " + request.remote + " for '" +
                      request.peer_session +
                      "' q=" + std::string(request.parameter("q").value_or("-")) + " " +
                      std::string(request.header("Authorization")) + " " +
                      std::string(request.header("Cookie")) + "|" + request.body;
      co_return response;
    }
    Awaitable<std::optional<Refused>> upgrade(HttpRequest request, Transport transport) override {
      if (!node.runs) {
        auto carried = co_await node.link.carry(std::move(request), std::move(transport), "sess_1",
                                                co_await node.home(), [] {});
        REQUIRE_FALSE(carried.here);  // no test takes a session over
        co_return std::move(carried.refused);
      }
      const std::string does(request.parameter("does").value_or("echo"));
      if (does == "refuse") {
        HttpResponse refusal = openai_error(429, "too_many_sessions", "Come back.");
        refusal.headers.emplace_back("Retry-After", "7");
        co_return Refused{std::move(transport), std::move(refusal)};
      }
      auto peer = co_await accept_websocket(std::move(transport), request, "", {});
      if (peer) co_await node.converse(*peer, does);
      co_return std::nullopt;
    }
    RunningNode& node;
  };

  Awaitable<relay::Node> home() {
    co_return (co_await link.home_of(executor(), "sess_1", relay::Purpose::look)).node;
  }

  /// Runs the conversation as the test asked.
  Awaitable<void> converse(Peer& peer, std::string does) {
    const std::string first = "hello";
    const Outgoing one{&first};
    if (peer.send({&one, 1}).waits) co_await peer.drain();
    if (does == "dies") {
      co_await peer.read();
      peer.abort();
      co_return;
    }
    if (does == "floods") {
      const std::string much(60'000, 'm');
      const Outgoing part{&much};
      while (!peer.send({&part, 1}).waits) ++flooded;
      stalled.set_value();
      if (const error_code ec = co_await peer.drain(); !ec) co_await peer.close(4001, "flooded");
      co_return;
    }
    while (true) {
      const Received got = co_await peer.read();
      if (got.kind == Received::Kind::closed) closed_with = got.close_code;
      if (got.kind != Received::Kind::message && got.kind != Received::Kind::binary) break;
      if (got.bytes == "bye") {
        co_await peer.close(4000, "replaced by a newer connection");
        break;
      }
      const Outgoing echo{&got.bytes,
                          got.kind == Received::Kind::binary ? FrameType::binary : FrameType::text};
      if (peer.send({&echo, 1}).waits) co_await peer.drain();
    }
    over.set_value();
  }

  config::LiveSettings settings_;
  Log log_{{LogLevel::error}};
  Reloadable<const access::Authenticator> authenticator_{
      std::make_shared<const access::Authenticator>(std::vector<config::ApiKey>(),
                                                    std::string(32, 's'), false)};
  CertificateFiles files_;

 public:
  peers::PeerLink link;
  std::atomic<int> flooded{0};
  std::promise<void> stalled;
  std::promise<void> over;
  std::uint16_t closed_with = 0;

 private:
  Service service_;
  relay::Metrics metrics_{1};
  relay::Worker worker_;
  ServerTls tls_;
  Listener listener_;
};

/// Node A runs the session, the client comes to node B.
struct Two {
  Two() {
    b.runs = false;
    b.homes.put(a.address());
  }
  TempDir dir;
  RunningNode a{1, dir};
  RunningNode b{2, dir};
  std::filesystem::path ca() const { return dir.path() / "cert.pem"; }
};

/// A client's connection to a node, run on the test's own thread.
class Client {
 public:
  Client(const RunningNode& node, const std::filesystem::path& ca)
      : context_(client_context(ca)), transport_(connect(node)) {}

  tl::expected<std::unique_ptr<Peer>, HandshakeRefused> open(const std::string& does) {
    return run(open_websocket(std::move(*transport_), "localhost", "/v1/realtime?does=" + does,
                              {{"Authorization", "Bearer ek_1"}}, {}));
  }
  /// The whole answer to one request.
  std::string request(const std::string& head, const std::string& body = {}) {
    const std::string bytes =
        head + "\r\nHost: localhost\r\nConnection: close\r\n" +
        (body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n") + "\r\n" +
        body;
    return run(exchange(bytes));
  }
  template <class T>
  T run(Awaitable<T> work) {
    auto result = asio::co_spawn(io_, std::move(work), asio::use_future);
    io_.restart();
    while (result.wait_for(std::chrono::seconds(0)) != std::future_status::ready) io_.run_one();
    return result.get();
  }

 private:
  std::optional<Transport> connect(const RunningNode& node) {
    Socket socket(io_);
    const auto url = parse_address(node.address().url);
    socket.connect(
        {asio::ip::make_address(url->host), static_cast<std::uint16_t>(std::stoi(url->port))});
    Transport stream(std::move(socket), context_.native_handle());
    expect_host(stream.tls(), "localhost");
    REQUIRE_FALSE(run(stream.handshake(Transport::Role::client)));
    return stream;
  }
  Awaitable<std::string> exchange(std::string bytes) {
    co_await asio::async_write(*transport_, asio::buffer(bytes), use_tuple);
    std::string answer;
    co_await asio::async_read(*transport_, asio::dynamic_buffer(answer), use_tuple);
    co_return answer;
  }

  asio::io_context io_;
  asio::ssl::context context_;
  std::optional<Transport> transport_;
};

Awaitable<void> say(Peer& peer, std::string text, FrameType frame = FrameType::text) {
  const Outgoing one{&text, frame};
  if (peer.send({&one, 1}).waits) co_await peer.drain();
}

}  // namespace

TEST_CASE("a client at the wrong node talks with the node of its session", "[fleet][peers][P14]") {
  Two nodes;
  Client client(nodes.b, nodes.ca());
  const auto peer = client.open("echo");
  REQUIRE(peer);
  CHECK(client.run((*peer)->read()).bytes == "hello");
  for (const std::string& text : {std::string("one"), std::string(), std::string(200'000, 'a')}) {
    client.run(say(**peer, text));
    CHECK(client.run((*peer)->read()).bytes == text);
  }
  client.run(say(**peer, "bytes", FrameType::binary));
  CHECK(client.run((*peer)->read()).kind == Received::Kind::binary);
  CHECK_FALSE(client.run((*peer)->ping()));
  client.run(say(**peer, "bye"));
  const Received end = client.run((*peer)->read());
  CHECK(end.kind == Received::Kind::closed);
  CHECK(end.close_code == 4000);
  CHECK(end.reason == "replaced by a newer connection");
}

TEST_CASE("the node of the session gets the client's close code", "[fleet][peers][P14]") {
  Two nodes;
  Client client(nodes.b, nodes.ca());
  const auto peer = client.open("echo");
  REQUIRE(peer);
  client.run(client.run((*peer)->read()).bytes == "hello" ? (*peer)->close(3001, "done")
                                                          : (*peer)->close(1000, ""));
  nodes.a.over.get_future().wait();
  CHECK(nodes.a.closed_with == 3001);
}

TEST_CASE("a refusal of the session's node reaches the client as it is", "[fleet][peers][P14]") {
  Two nodes;
  Client client(nodes.b, nodes.ca());
  const auto peer = client.open("refuse");
  REQUIRE_FALSE(peer);
  CHECK(peer.error().status == 429);
  CHECK(peer.error().code == "too_many_sessions");
  Client again(nodes.b, nodes.ca());
  const std::string answer = again.request(
      "GET /v1/realtime?does=refuse HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: "
      "13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nConnection: Upgrade");
  CHECK(answer.find("429") != std::string::npos);
  CHECK(answer.find("Retry-After: 7") != std::string::npos);
}

TEST_CASE("a client whose node is lost is asked to come back", "[fleet][peers][P14]") {
  Two nodes;
  Client client(nodes.b, nodes.ca());
  const auto peer = client.open("dies");
  REQUIRE(peer);
  CHECK(client.run((*peer)->read()).bytes == "hello");
  client.run(say(**peer, "die"));
  const Received end = client.run((*peer)->read());
  CHECK(end.kind == Received::Kind::closed);
  CHECK(end.close_code == close_codes::restart);
}

TEST_CASE("a client of another node is asked to come back when this process ends",
          "[fleet][peers][P14]") {
  Two nodes;
  Client client(nodes.b, nodes.ca());
  const auto peer = client.open("echo");
  REQUIRE(peer);
  CHECK(client.run((*peer)->read()).bytes == "hello");
  nodes.b.link.stop();
  const Received end = client.run((*peer)->read());
  CHECK(end.kind == Received::Kind::closed);
  CHECK(end.close_code == close_codes::restart);
  nodes.a.over.get_future().wait();
  CHECK(nodes.a.closed_with == 0);  // the session waits for its client, at any node
}

TEST_CASE("a client that does not read holds up its node, and nothing is lost",
          "[fleet][peers][P14]") {
  Two nodes;
  Client client(nodes.b, nodes.ca());
  const auto peer = client.open("floods");
  REQUIRE(peer);
  CHECK(client.run((*peer)->read()).bytes == "hello");
  nodes.a.stalled.get_future().wait();
  int got = 0;
  Received last;
  while ((last = client.run((*peer)->read())).kind == Received::Kind::message) {
    CHECK(last.bytes.size() == 60'000);
    ++got;
  }
  CHECK(last.close_code == 4001);
  CHECK(got == nodes.a.flooded + 1);
  // Only the buffers of four sockets lie between the two. A queue of our own would take all.
  CHECK(nodes.a.flooded * 60'000 < 32 * 1024 * 1024);
}

TEST_CASE("a request for another node's session is answered by that node", "[fleet][peers][P14]") {
  Two nodes;
  const std::string answer = Client(nodes.b, nodes.ca())
                                 .request(
                                     "POST /v1/sess%3A%20x/y?q=a%26b HTTP/1.1\r\nAuthorization: "
                                     "Bearer vk_1\r\nCookie: no",
                                     "body");
  CHECK(answer.find("POST /v1/sess: x/y 127.0.0.1 for 'sess_1' q=a&b Bearer vk_1 |body") !=
        std::string::npos);
  CHECK(answer.find("ETag: \"tag\"") != std::string::npos);
  const std::string whole = Client(nodes.b, nodes.ca()).request("GET /v1/long HTTP/1.1");
  CHECK(std::count(whole.begin(), whole.end(), 'x') >= 300'000);
  CHECK(whole.ends_with("0\r\n\r\n"));
}

TEST_CASE("a stranger finds nothing below /fleet, with or without a token", "[fleet][peers][P14]") {
  Two nodes;
  const auto status = [&nodes](const std::string& headers) {
    return Client(nodes.a, nodes.ca())
        .request("GET /fleet/v1/x HTTP/1.1" + headers)
        .substr(0, std::string("HTTP/1.1 404").size());
  };
  CHECK(status("") == "HTTP/1.1 404");
  CHECK(status("\r\nVerbatim-Peer: e30.e30") == "HTTP/1.1 404");
  CHECK(nodes.a.link.gauges().strangers == 1);
  // On the client's own paths the header means nothing.
  const std::string plain =
      Client(nodes.a, nodes.ca()).request("GET /v1/x HTTP/1.1\r\nVerbatim-Peer: e30.e30");
  CHECK(plain.find("for ''") != std::string::npos);
}

TEST_CASE("a request that comes to a node without the session asks the directory once more",
          "[fleet][peers][P14]") {
  Two nodes;
  RunningNode c{3, nodes.dir};
  nodes.b.homes.put_next(c.address());
  const std::string moved = Client(nodes.b, nodes.ca()).request("GET /v1/moved HTTP/1.1");
  CHECK(moved.find(" 503 ") != std::string::npos);  // both nodes say that they do not run it
  CHECK(moved.find("Retry-After: 1") != std::string::npos);
  CHECK(nodes.a.misdirected_answers == 1);
  CHECK(c.misdirected_answers == 1);
  CHECK(nodes.b.homes.forgotten() == 1);
}

TEST_CASE("a node that does not answer, or cannot prove itself, is a 503", "[fleet][peers][P14]") {
  Two nodes;
  nodes.b.homes.put({1, "https://127.0.0.1:1"});
  const std::string silent = Client(nodes.b, nodes.ca()).request("GET /v1/x HTTP/1.1");
  CHECK(silent.find(" 503 ") != std::string::npos);
  CHECK(silent.find("node unreachable") != std::string::npos);
  TempDir elsewhere;
  const RunningNode impostor{1, elsewhere};
  nodes.b.homes.put(impostor.address());
  CHECK(Client(nodes.b, nodes.ca()).request("GET /v1/x HTTP/1.1").find(" 503 ") !=
        std::string::npos);
  CHECK(nodes.b.link.gauges().unreachable == 2);
}
