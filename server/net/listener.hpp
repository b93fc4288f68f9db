// Accepts connections and distributes them over the workers. It does not know what they serve.
//
// On the control thread, unless stated otherwise. Errors while it starts are exceptions;
// afterwards they are logged and counted.
#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/ssl/context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/reloadable.hpp"
#include "config/settings.hpp"
#include "server/net/connections.hpp"
#include "server/net/descriptors.hpp"
#include "server/net/http_connection.hpp"

namespace verbatim::net {

/// Serves a connection: a worker's executor, and the service on it.
struct Target {
  Executor executor;
  HttpService* service;
  std::shared_ptr<Turns> handshakes = std::make_shared<Turns>(executor);
};

/// The TLS context for new connections; a certificate reload replaces it.
using ServerTls = Reloadable<asio::ssl::context>;

class Listener {
 public:
  /// Binds the address. Throws std::runtime_error, which names the address and what to do (port in
  /// use, ...).
  /// `control`: executor of the control thread.
  /// `tls`: null for plain HTTP. Must outlive the connections.
  /// `limits`: limits of one connection.
  /// `connections`: limits on their number.
  /// `targets`: the workers. Their services must outlive the connections.
  /// `passed`: a listening socket that a service manager bound, in place of `endpoint`; -1: none.
  Listener(Executor control, const Endpoint& endpoint, const ServerTls* tls, HttpLimits limits,
           Connections::Limits connections, std::vector<Target> targets, Log& log, int passed = -1);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// Admits connections only while there are file descriptors for them, and counts the refused
  /// ones. Both objects must outlive the connections. Call it before start().
  void share(Descriptors& descriptors, ConnectionCounts& counts) {
    descriptors_ = &descriptors;
    connections_->count_in(counts);
  }

  void start();
  /// Limits for the next connections. On the control thread.
  void reload(HttpLimits limits, Connections::Limits connections);
  /// Accepts no more connections. On the control thread.
  void stop();
  /// Connections that do not wait for their first or next request. Any thread.
  std::size_t busy() const { return connections_->busy(); }
  /// The bound port (also if port 0 was configured), and the URL for clients.
  std::uint16_t port() const { return port_; }
  std::string url() const;

 private:
  void bind(const Endpoint& endpoint);
  void adopt(int passed);
  Awaitable<void> accept_loop();
  void place(Socket::native_handle_type descriptor, const Target& where,
             const std::string& address);
  void refuse_waiting();

  asio::basic_socket_acceptor<tcp, Executor> acceptor_;
  std::string host_;
  std::uint16_t port_ = 0;
  tcp protocol_ = tcp::v4();
  const ServerTls* tls_;
  HttpLimits limits_;
  std::shared_ptr<Connections> connections_;
  std::vector<Target> targets_;
  Log& log_;
  Descriptors* descriptors_ = nullptr;  ///< null: descriptors are not limited
  int spare_ =
      -1;  ///< closed for a moment to accept and refuse a connection when no descriptor is left
};

HttpLimits http_limits(const config::Server& settings);

/// The address of a listening socket that a service manager passed. Throws std::runtime_error if
/// the descriptor is no such socket of IPv4 or IPv6.
Endpoint address_of_passed(int descriptor);

}  // namespace verbatim::net
