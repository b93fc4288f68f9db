#include "server/net/listener.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <cstring>
#include <stdexcept>
#include <utility>
#include <variant>

#include "server/net/announced_caller.hpp"

namespace verbatim::net {

namespace {

// Without free file descriptors, accepting again at once would only spin.
constexpr auto pause_after_failure = std::chrono::milliseconds(100);

constexpr int turned_away_at_once = 64;

bool is_shortage(const error_code& ec) {
  namespace errc = boost::system::errc;
  return ec == errc::too_many_files_open || ec == errc::too_many_files_open_in_system ||
         ec == errc::no_buffer_space || ec == errc::not_enough_memory;
}

// An exception from a connection is a bug; it ends only that connection.
void log_bug(Log& log, const std::exception_ptr& bug) {
  try {
    std::rethrow_exception(bug);
  } catch (const std::exception& error) {
    log.repeated(Repeated::connection_bug, {{"what", error.what()}});
  }
}

std::string display(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

}  // namespace

HttpLimits http_limits(const config::Server& settings) {
  return {settings.header_bytes_max,
          settings.body_bytes_max,
          settings.handshake_timeout,
          settings.request_timeout,
          settings.keep_alive_timeout,
          nullptr,
          std::make_shared<const TrustedProxies>(settings.trusted_proxies)};
}

Endpoint address_of_passed(int descriptor) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  int listens = 0;
  socklen_t listens_size = sizeof listens;
  tcp::endpoint named;
  const bool known =
      ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) == 0 &&  // NOLINT
      ::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_size) == 0;
  const bool internet = address.ss_family == AF_INET || address.ss_family == AF_INET6;
  if (!known || !internet || listens == 0)
    throw std::runtime_error(
        "the descriptor that the service manager passed (LISTEN_FDS) is not a listening TCP "
        "socket: use ListenStream= with an address and a port");
  std::memcpy(named.data(), &address, std::min<std::size_t>(size, named.capacity()));
  return {named.address().to_string(), named.port()};
}

Listener::Listener(Executor control, const Endpoint& endpoint, const ServerTls* tls,
                   HttpLimits limits, Connections::Limits connections, std::vector<Target> targets,
                   Log& log, int passed)
    : acceptor_(control),
      host_(endpoint.host),
      tls_(tls),
      limits_(limits),
      connections_(std::make_shared<Connections>(connections, limits.proxies, log)),
      targets_(std::move(targets)),
      log_(log) {
  passed >= 0 ? adopt(passed) : bind(endpoint);
  error_code ec;
  port_ = acceptor_.local_endpoint().port();
  // So that refuse_waiting() never blocks.
  acceptor_.non_blocking(true, ec);
  spare_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void Listener::adopt(int passed) {
  const Endpoint endpoint = address_of_passed(passed);
  host_ = endpoint.host;
  protocol_ = asio::ip::make_address(endpoint.host).is_v6() ? tcp::v6() : tcp::v4();
  acceptor_.assign(protocol_, passed);
}

void Listener::bind(const Endpoint& endpoint) {
  const std::string where = display(endpoint.host) + ":" + std::to_string(endpoint.port);
  error_code ec;
  asio::ip::basic_resolver<tcp, Executor> resolver(acceptor_.get_executor());
  const auto found = resolver.resolve(endpoint.host, std::to_string(endpoint.port),
                                      asio::ip::resolver_base::passive, ec);
  if (ec || found.empty()) {
    throw std::runtime_error("cannot listen on " + where + ": " + ec.message());
  }
  const tcp::endpoint address = found.begin()->endpoint();
  acceptor_.open(address.protocol(), ec);
  if (!ec) acceptor_.set_option(asio::socket_base::reuse_address(true), ec);
  if (!ec) acceptor_.bind(address, ec);
  if (!ec) acceptor_.listen(asio::socket_base::max_listen_connections, ec);
  if (ec == boost::system::errc::address_in_use) {
    throw std::runtime_error("cannot listen on " + where +
                             ": another program uses that port. Stop it, or choose another with "
                             "server.listen (port 0 picks a free one).");
  }
  if (ec) throw std::runtime_error("cannot listen on " + where + ": " + ec.message());
  protocol_ = address.protocol();
}

Listener::~Listener() {
  if (spare_ >= 0) ::close(spare_);
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

void Listener::reload(HttpLimits limits, Connections::Limits connections) {
  limits.bodies = limits_.bodies;
  limits_ = std::move(limits);
  connections_->reload(connections, limits_.proxies);
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
      if (is_shortage(ec)) refuse_waiting();
      Timer pause(acceptor_.get_executor(), pause_after_failure);
      co_await pause.async_wait(use_tuple);
      continue;
    }
    const std::string address = address_of(accepted);
    const auto descriptor = accepted.release(ec);
    if (!ec) place(descriptor, targets_[turn++ % targets_.size()], address);
  }
}

void Listener::place(Socket::native_handle_type descriptor, const Target& where,
                     const std::string& address) {
  // Over a limit the connection is closed without an answer: an answer costs a TLS handshake.
  auto taken = connections_->take(address, where.executor);
  if (!taken) {
    ::close(descriptor);
    return;
  }
  HttpLimits limits = limits_;
  std::optional<Descriptors::Lease> lease;
  if (descriptors_) {
    lease = descriptors_->take(1);
    if (!lease) {
      connections_->refused(ConnectionRefusal::descriptors, address);
      // A few get a 503; the others are closed without an answer.
      lease = descriptors_->take_to_refuse();
      limits.only_probes = true;
      if (!lease) {
        ::close(descriptor);
        return;
      }
    }
  }
  // Not earlier: a socket still queued here at the end would be destroyed after its worker.
  Socket socket(where.executor);
  error_code ec;
  socket.assign(protocol_, descriptor, ec);
  if (ec) {
    ::close(descriptor);
    return;
  }
  const auto held = lease ? std::make_shared<Descriptors::Lease>(std::move(*lease)) : nullptr;
  asio::co_spawn(where.executor,
                 serve_connection(std::move(socket), *std::move(taken),
                                  {tls_ ? tls_->get() : nullptr, where.handshakes}, limits,
                                  *where.service, log_),
                 [held, &log = log_](std::exception_ptr bug) {
                   if (bug) log_bug(log, bug);
                 });
}

/// Refuses the connections in the kernel's queue when there is no descriptor left even for a
/// refusal. Otherwise their peers would wait in vain, and the socket would stay readable.
void Listener::refuse_waiting() {
  connections_->refused(ConnectionRefusal::descriptors);
  if (spare_ < 0) return;
  for (int i = 0; i < turned_away_at_once; ++i) {
    ::close(spare_);
    const int peer = ::accept4(acceptor_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC);
    if (peer >= 0) ::close(peer);
    spare_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (peer < 0 || spare_ < 0) return;
    if (i > 0) connections_->refused(ConnectionRefusal::descriptors);
  }
}

}  // namespace verbatim::net
