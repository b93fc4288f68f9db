// A service behind one connection, and the answers that a client gets for its bytes.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <regex>
#include <string>
#include <vector>

#include "server/net/body_source.hpp"
#include "server/net/http_connection.hpp"
#include "server/net/listener.hpp"

namespace verbatim::test {

/// A service that shows what it got of a request. Below /post it reads bodies.
struct Echo final : net::HttpService {
  net::BodyVerdict judge_body(const net::HttpRequest& head) override {
    net::BodyVerdict verdict;
    verdict.read = head.path.starts_with("/post");
    if (head.path == "/post/denied") verdict.refused = net::problem(401, "unauthorized", "No.");
    return verdict;
  }
  net::Awaitable<net::HttpResponse> answer(net::HttpRequest request) override {
    net::HttpResponse response;
    if (request.path == "/stream") response.source = std::make_shared<Pieces>();
    std::string headers;
    for (const auto& [name, value] : request.headers) headers += name + "=" + value + "|";
    response.body = request.method + " " + request.path +
                    " host=" + std::string(request.header("Host")) + " " + headers +
                    " body=" + request.body;
    served.push_back(std::move(request));
    co_return response;
  }
  net::Awaitable<std::optional<Refused>> upgrade(net::HttpRequest request,
                                                 net::Transport transport) override {
    const bool stops = request.path == "/stops";
    served.push_back(std::move(request));
    if (stops)
      co_return Refused{std::move(transport),
                        net::openai_error(503, "server_shutting_down", "Come back.")};
    net::HttpResponse response = net::problem(426, "upgraded", "As far as this test goes.");
    co_return Refused{std::move(transport), std::move(response)};
  }

  struct Pieces final : net::BodySource {
    net::Awaitable<std::string> next() override { co_return left-- > 0 ? "piece" : ""; }
    net::Clock::duration patience() const override { return std::chrono::seconds(5); }
    void abandon(bool) override {}
    int left = 2;
  };

  std::vector<net::HttpRequest> served;
};

/// A service, and the responses that a client gets for its bytes until the connection ends.
class Wire {
 public:
  Wire() { limits.bodies = &bodies; }

  /// Sends each piece when the one before has been read as far as possible. Closes our half of the
  /// connection after the last.
  std::string operator()(const std::vector<std::string>& pieces) {
    asio::io_context context;
    asio::basic_socket_acceptor<net::tcp, net::Executor> acceptor(
        context.get_executor(), {asio::ip::address_v4::loopback(), 0});
    net::Socket near(context.get_executor());
    net::Socket far(context.get_executor());
    near.connect(acceptor.local_endpoint());
    near.set_option(net::tcp::no_delay(true));
    acceptor.accept(far);
    auto place = connections->take("127.0.0.1", context.get_executor());
    asio::co_spawn(
        context, net::serve_connection(std::move(far), *std::move(place), {}, limits, service, log),
        rethrow);
    for (const std::string& piece : pieces) {
      error_code gone;
      asio::write(near, asio::buffer(piece), gone);
      settle(context);
    }
    error_code ignored;
    near.shutdown(net::Socket::shutdown_send, ignored);
    context.run();
    std::string answer;
    asio::read(near, asio::dynamic_buffer(answer), ignored);
    return answer;
  }
  std::string operator()(const std::string& bytes) { return (*this)(std::vector{bytes}); }

  Echo service;
  net::BodyMemory bodies{1024 * 1024, 64 * 1024};
  net::HttpLimits limits = net::http_limits(config::Settings().server);

 private:
  static void rethrow(std::exception_ptr bug) {
    if (bug) std::rethrow_exception(bug);
  }
  /// Runs until nothing more happens without another byte. Each poll() checks the socket, so a few
  /// polls without work mean that all has been read.
  static void settle(asio::io_context& context) {
    for (int idle = 0; idle < 3;) idle = context.poll() == 0 ? idle + 1 : 0;
  }

  Log log{{}};
  std::shared_ptr<net::Connections> connections = std::make_shared<net::Connections>(
      net::connection_limits(config::Settings().server), limits.proxies, log);
};

inline std::vector<int> statuses(const std::string& answers) {
  std::vector<int> found;
  const std::regex line("HTTP/1\\.1 (\\d{3}) ");
  for (std::sregex_iterator at(answers.begin(), answers.end(), line), end; at != end; ++at) {
    found.push_back(std::stoi((*at)[1]));
  }
  return found;
}

using Statuses = std::vector<int>;

inline constexpr const char* hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n";

inline std::string post(const std::string& headers, const std::string& body,
                        const std::string& path = "/post") {
  return "POST " + path + " HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n" + body;
}

inline std::string upgrade(const std::string& headers,
                           const std::string& first_line = "GET / HTTP/1.1") {
  return first_line + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + headers + "\r\n";
}

}  // namespace verbatim::test
