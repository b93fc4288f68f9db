#include "server/listener.hpp"

#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <stdexcept>
#include <utility>

namespace verbatim::server {

namespace {

// When the process is out of file descriptors, accepting again at once would only spin.
constexpr auto pause_after_failure = std::chrono::milliseconds(100);

// What escapes from a connection is a bug; it ends that connection and nothing else.
void tell(Log& log, const std::exception_ptr& bug) {
  try {
    std::rethrow_exception(bug);
  } catch (const std::exception& error) {
    log.error("connection.bug", {{"what", error.what()}});
  }
}

std::string display(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

}  // namespace

HttpLimits http_limits(const config::Server& settings) {
  return {settings.header_bytes_max, settings.body_bytes_max, settings.handshake_timeout,
          settings.request_timeout, settings.keep_alive_timeout};
}

Listener::Listener(Executor control, const config::Endpoint& endpoint, const ServerTls* tls,
                   HttpLimits limits, std::size_t connections_max, std::vector<Place> places,
                   Log& log)
    : acceptor_(control),
      host_(endpoint.host),
      tls_(tls),
      limits_(limits),
      connections_max_(connections_max),
      places_(std::move(places)),
      log_(log) {
  const std::string where = display(endpoint.host) + ":" + std::to_string(endpoint.port);
  error_code ec;
  asio::ip::basic_resolver<tcp, Executor> resolver(control);
  const auto found = resolver.resolve(endpoint.host, std::to_string(endpoint.port),
                                      asio::ip::resolver_base::passive, ec);
  if (ec || found.empty()) {
    throw std::runtime_error("can not listen on " + where + ": " + ec.message());
  }
  const tcp::endpoint address = found.begin()->endpoint();
  acceptor_.open(address.protocol(), ec);
  if (!ec) acceptor_.set_option(asio::socket_base::reuse_address(true), ec);
  if (!ec) acceptor_.bind(address, ec);
  if (!ec) acceptor_.listen(asio::socket_base::max_listen_connections, ec);
  if (ec == boost::system::errc::address_in_use) {
    throw std::runtime_error("can not listen on " + where +
                             ": another program has that port. Stop it, or choose another with "
                             "server.listen (port 0 picks a free one).");
  }
  if (ec) throw std::runtime_error("can not listen on " + where + ": " + ec.message());
  port_ = acceptor_.local_endpoint().port();
  protocol_ = address.protocol();
}

std::string Listener::url() const {
  const std::string reachable = host_ == "0.0.0.0" ? "127.0.0.1" : host_ == "::" ? "::1" : host_;
  return (tls_ ? "https://" : "http://") + display(reachable) + ":" + std::to_string(port_);
}

void Listener::start() {
  asio::co_spawn(acceptor_.get_executor(), accept_loop(), [](std::exception_ptr bug) {
    if (bug) std::rethrow_exception(bug);
  });
}

void Listener::stop() {
  error_code ignored;
  acceptor_.close(ignored);
}

Awaitable<void> Listener::accept_loop() {
  std::size_t turn = 0;
  while (acceptor_.is_open()) {
    auto [ec, accepted] = co_await acceptor_.async_accept(use_tuple);
    if (!acceptor_.is_open()) break;
    if (ec) {
      Timer pause(acceptor_.get_executor(), pause_after_failure);
      co_await pause.async_wait(use_tuple);
      continue;
    }
    // Beyond the limit a connection is closed unanswered: an answer would cost a TLS handshake.
    if (open_->load() >= connections_max_) continue;
    const Place& place = places_[turn++ % places_.size()];
    // Only now: what waits here at the end is destroyed after the workers.
    Socket socket(place.worker->executor());
    const auto descriptor = accepted.release(ec);
    if (ec) continue;
    socket.assign(protocol_, descriptor, ec);
    if (ec) {
      ::close(descriptor);
      continue;
    }
    open_->fetch_add(1);
    asio::co_spawn(place.worker->executor(),
                   serve_connection(std::move(socket), tls_ ? tls_->get() : nullptr, limits_,
                                    *place.service, log_),
                   [open = open_, &log = log_](std::exception_ptr bug) {
                     open->fetch_sub(1);
                     if (bug) tell(log, bug);
                   });
  }
}

}  // namespace verbatim::server
