// Bytes over TCP and TLS: complete, in order, both ways at once; and how each end of a connection
// appears.
#include "server/net/transport.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>
#include <functional>
#include <string>

#include "server/net/tls.hpp"
#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::net;
using verbatim::test::TempDir;

namespace {

/// Two ends of one connection on one thread.
class Pair {
 public:
  explicit Pair(bool tls) {
    asio::basic_socket_acceptor<tcp, Executor> acceptor(context_.get_executor(),
                                                        {asio::ip::address_v4::loopback(), 0});
    Socket near(context_.get_executor());
    Socket far(context_.get_executor());
    near.connect(acceptor.local_endpoint());
    acceptor.accept(far);
    if (!tls) {
      client = std::make_unique<Transport>(std::move(near));
      server = std::make_unique<Transport>(std::move(far));
      return;
    }
    const CertificateFiles files = ensure_self_signed(dir_ / "tls");
    ours_ = server_context(files);
    theirs_ = std::make_unique<asio::ssl::context>(client_context(files.certificate));
    client = std::make_unique<Transport>(std::move(near), theirs_->native_handle());
    server = std::make_unique<Transport>(std::move(far), ours_->native_handle());
    expect_host(client->tls(), "localhost");
    run(
        [this]() -> Awaitable<void> {
          CHECK_FALSE(co_await client->handshake(Transport::Role::client));
        },
        [this]() -> Awaitable<void> {
          CHECK_FALSE(co_await server->handshake(Transport::Role::server));
        });
  }

  using Work = std::function<Awaitable<void>()>;
  /// Runs all at once until all are done.
  template <class... Works>
  void run(Works... works) {
    context_.restart();
    (asio::co_spawn(context_, Work(works), asio::detached), ...);
    context_.run();
  }

 private:
  TempDir dir_;
  asio::io_context context_{1};
  std::shared_ptr<asio::ssl::context> ours_;
  std::unique_ptr<asio::ssl::context> theirs_;

 public:
  std::unique_ptr<Transport> client;
  std::unique_ptr<Transport> server;
};

std::string noise_bytes(std::size_t size, unsigned seed) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>((seed = seed * 1103515245 + 12345) >> 16);
  return bytes;
}

/// As Beast writes a frame: its head and its payload.
Awaitable<void> write_both(Transport& to, const std::string& head, const std::string& payload) {
  const std::array<asio::const_buffer, 2> both{asio::buffer(head), asio::buffer(payload)};
  const auto [ec, size] = co_await asio::async_write(to, both, use_tuple);
  CHECK_FALSE(ec);
  CHECK(size == head.size() + payload.size());
}

Awaitable<void> read_exactly(Transport& from, std::string& into, std::size_t size) {
  into.resize(size);
  const auto [ec, got] = co_await asio::async_read(from, asio::buffer(into), use_tuple);
  CHECK_FALSE(ec);
  CHECK(got == size);
}

Awaitable<void> read_end(Transport& from, error_code& end) {
  char byte = 0;
  const auto buffer = asio::buffer(&byte, 1);
  const auto [ec, size] = co_await from.async_read_some(buffer, use_tuple);
  end = ec;
  CHECK(size == 0);
}

}  // namespace

TEST_CASE("bytes of every length arrive as they were sent, both ways at once", "[transport]") {
  for (const bool tls : {false, true}) {
    Pair pair(tls);
    for (const std::size_t size : {0, 1, 2, 16'382, 16'383, 16'384, 16'385, 40'000, 3'000'000}) {
      INFO((tls ? "TLS " : "TCP ") << size);
      const std::string up = noise_bytes(size, 1);
      const std::string down = noise_bytes(size, 2);
      const std::string ab = "ab";
      const std::string cd = "cd";
      std::string at_server;
      std::string at_client;
      pair.run([&] { return write_both(*pair.client, ab, up); },
               [&] { return write_both(*pair.server, cd, down); },
               [&] { return read_exactly(*pair.server, at_server, size + 2); },
               [&] { return read_exactly(*pair.client, at_client, size + 2); });
      CHECK(at_server == ab + up);
      CHECK(at_client == cd + down);
    }
  }
}

TEST_CASE("a TLS close is distinguished from a cut connection", "[transport]") {
  for (const bool cut : {false, true}) {
    Pair pair(true);
    error_code end;
    pair.run(
        [&]() -> Awaitable<void> {
          co_await read_end(*pair.server, end);
          co_await pair.server->shut_down();
        },
        [&]() -> Awaitable<void> {
          error_code ignored;
          if (!cut) co_await pair.client->shut_down();
          pair.client->socket().close(ignored);
        });
    CHECK((end == asio::error::eof) == !cut);
    CHECK(end);
  }
}

TEST_CASE("closing a socket ends its reads, and no read goes to another socket", "[transport]") {
  for (const bool tls : {false, true}) {
    Pair pair(tls);
    error_code end;
    error_code after;
    pair.run([&] { return read_end(*pair.client, end); },
             [&]() -> Awaitable<void> {
               error_code ignored;
               pair.client->socket().close(ignored);
               // The descriptor's number is free: another connection has it now.
               Pair other(false);
               co_await read_end(*pair.client, after);
             });
    CHECK(end == asio::error::operation_aborted);
    CHECK(after);
  }
}
