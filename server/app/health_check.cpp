#include "server/app/health_check.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/write.hpp>

#include "server/net/transport.hpp"
#include "server/relay/upstream.hpp"

namespace verbatim::app {

namespace {

constexpr std::size_t answer_bytes_max = 64 * 1024;

net::Awaitable<HealthAnswer> ask(net::Transport& stream, const std::string& request) {
  const auto [write_error, written] =
      co_await asio::async_write(stream, asio::buffer(request), net::use_tuple);
  if (write_error) co_return HealthAnswer{0, write_error.message()};
  std::string answer;
  co_await asio::async_read(stream, asio::dynamic_buffer(answer, answer_bytes_max), net::use_tuple);
  HealthAnswer result;
  if (answer.starts_with("HTTP/1.1 ") && answer.size() >= 12) {
    result.status = std::atoi(answer.substr(9, 3).c_str());
  }
  const std::size_t body = answer.find("\r\n\r\n");
  if (body != std::string::npos) result.detail = answer.substr(body + 4);
  co_return result;
}

net::Awaitable<void> connect_and_ask(net::Executor executor, Address address,
                                     HealthAnswer& result) {
  asio::ip::basic_resolver<net::tcp, net::Executor> resolver(executor);
  auto [resolve_error, found] =
      co_await resolver.async_resolve(address.host, address.port, net::use_tuple);
  net::Socket socket(executor);
  error_code failed = resolve_error;
  if (!failed) {
    const auto [connect_error, endpoint] =
        co_await asio::async_connect(socket, found, net::use_tuple);
    failed = connect_error;
  }
  if (failed) {
    result.detail = failed.message();
    co_return;
  }
  const std::string request = "GET " + address.target +
                              " HTTP/1.1\r\nHost: " + authority(address.host, address.port) +
                              "\r\nConnection: close\r\n\r\n";
  if (!address.tls) {
    net::Transport stream(std::move(socket));
    result = co_await ask(stream, request);
    co_return;
  }
  asio::ssl::context context(asio::ssl::context::tls_client);
  net::Transport stream(std::move(socket), context.native_handle());
  if (const error_code tls_error = co_await stream.handshake(net::Transport::Role::client)) {
    result.detail = tls_error.message();
    co_return;
  }
  result = co_await ask(stream, request);
}

}  // namespace

std::string local_url(const Endpoint& address, bool tls) {
  std::string host = address.host;
  if (host == "0.0.0.0") host = "127.0.0.1";
  if (host == "::") host = "::1";
  return std::string(tls ? "https://" : "http://") + authority(host, std::to_string(address.port));
}

std::string readiness_url(const Endpoint& address, bool tls) {
  return local_url(address, tls) + "/readyz";
}

HealthAnswer ask_health(const std::string& url, std::chrono::milliseconds limit) {
  const auto address = parse_address(url);
  if (!address) return {0, "not a URL: " + url};
  asio::io_context context{1};
  HealthAnswer result{0, "no answer within " + std::to_string(limit.count()) + " ms"};
  asio::co_spawn(context, connect_and_ask(context.get_executor(), *address, result),
                 [](std::exception_ptr bug) {
                   if (bug) std::rethrow_exception(bug);
                 });
  context.run_for(limit);
  return result;
}

}  // namespace verbatim::app
