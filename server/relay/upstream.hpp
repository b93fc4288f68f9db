// The way to the provider: resolve, connect (through a proxy if there is one), TLS with
// verification, upgrade. One object for the whole program; any thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <boost/asio/ssl/context.hpp>

#include "base/reloadable.hpp"
#include "base/secret.hpp"
#include "base/url.hpp"
#include "config/settings.hpp"
#include "server/net/peer.hpp"
#include "server/net/transport.hpp"
#include "server/net/ws_peer.hpp"
#include "session/protocol/secret_filter.hpp"

namespace verbatim::server {

/// Why there is no connection. `refused`: the provider answered and said no.
struct DialFailure {
  bool refused = false;
  std::string why;        ///< for the client and the log, in our words: a peer's may hold secrets
  int status = 0;         ///< the provider's HTTP status, 0 if it gave none
  std::string code = {};  ///< its error code, if it is a plain word; or empty
};

/// Lets the owner of a running dial() give it up.
struct Dial {
  std::function<void()> abort;
};

class Upstream {
 public:
  /// `limits`: of what a large message may take; how large one may be, the settings say. Throws
  /// std::runtime_error if the settings can not work.
  explicit Upstream(config::Upstream settings, WebSocketLimits limits = {});

  struct Wanted {
    std::string model;           ///< empty: the configured one
    bool transcription = false;  ///< a transcription session, which has no model
    std::string owner = {};      ///< of its large messages
  };
  Awaitable<std::variant<std::unique_ptr<Peer>, DialFailure>> dial(const Executor& executor,
                                                                   Wanted wanted,
                                                                   Dial& handle) const;

  /// Whether a connection with TLS comes about, for /readyz. Empty: it does.
  Awaitable<std::string> probe(const Executor& executor) const;

  /// For connections from now on; those that are there keep theirs. Both are hidden.
  void use_key(Secret key);
  std::shared_ptr<const Secret> key() const { return key_.get(); }
  /// What must not be repeated of what the provider says. It grows with use_key().
  std::shared_ptr<const session::SecretFilter> secrets() const { return hidden_; }

 private:
  using Connected = std::variant<Transport, DialFailure>;
  Awaitable<Connected> connect(const Executor& executor, Dial& handle) const;
  std::string target(const Wanted& wanted) const;
  Awaitable<std::optional<std::string>> open_tunnel(Socket& socket) const;

  config::Upstream settings_;  ///< but for its key
  Reloadable<const Secret> key_;
  std::shared_ptr<session::SecretFilter> hidden_;
  WebSocketLimits limits_;
  Address address_;
  std::optional<Address> proxy_;
  mutable asio::ssl::context tls_;
};

}  // namespace verbatim::server
