// Accepts connections and spreads them over the workers. Knows nothing of what is served.
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

namespace verbatim::server {

/// Where a connection goes: a thread, and what it serves there.
struct Target {
  Executor executor;
  HttpService* service;
  std::shared_ptr<Turns> handshakes = std::make_shared<Turns>(executor);
};

/// The certificate that connections get from now on.
using ServerTls = Reloadable<asio::ssl::context>;

class Listener {
 public:
  /// Binds. Throws std::runtime_error that names the address and what to do (port in use, ...).
  /// `tls` null: plain. Both it and the places must outlive the connections.
  Listener(Executor control, const Endpoint& endpoint, const ServerTls* tls, HttpLimits limits,
           Connections::Limits connections, std::vector<Target> places, Log& log);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// From now on connections are admitted only while there are descriptors for them, and those that
  /// are not are counted. Both must outlive the connections. Before start().
  void share(Descriptors& descriptors, ConnectionCounts& counts) {
    descriptors_ = &descriptors;
    connections_->count_in(counts);
  }

  void start();
  /// No new connections from now on. On the control thread.
  void stop();
  /// Port that it really has, and its URL as clients write it.
  std::uint16_t port() const { return port_; }
  std::string url() const;

 private:
  Awaitable<void> accept_loop();
  void place(Socket::native_handle_type descriptor, const Target& where,
             const std::string& address);
  void turn_away_those_that_wait();

  asio::basic_socket_acceptor<tcp, Executor> acceptor_;
  std::string host_;
  std::uint16_t port_ = 0;
  tcp protocol_ = tcp::v4();
  const ServerTls* tls_;
  HttpLimits limits_;
  std::shared_ptr<Connections> connections_;
  std::vector<Target> places_;
  Log& log_;
  Descriptors* descriptors_ = nullptr;  ///< null: not looked after
  int spare_ = -1;  ///< given up for a moment to turn a peer away when there are none left
};

HttpLimits http_limits(const config::Server& settings);

}  // namespace verbatim::server
