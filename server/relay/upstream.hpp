// Connects to the provider: name lookup, TCP (through a proxy if configured), TLS with
// verification, upgrade. One object for the whole program.
//
// Any thread; each connection belongs to the executor that dialled it. Failures are values.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include <boost/asio/ssl/context.hpp>

#include "base/reloadable.hpp"
#include "base/secret.hpp"
#include "base/url.hpp"
#include "config/settings.hpp"
#include "server/net/peer.hpp"
#include "server/net/transport.hpp"
#include "server/net/ws_peer.hpp"
#include "session/protocol/provider_dialects.hpp"
#include "session/protocol/secret_filter.hpp"

namespace verbatim::relay {

/// Why a dial failed. `refused`: the provider answered with a refusal.
struct DialFailure {
  bool refused = false;
  std::string
      why;  ///< for the client and the log; it never quotes a peer, whose text may hold secrets
  int status = 0;         ///< the provider's HTTP status; 0 if there was no answer
  std::string code = {};  ///< the provider's error code if it is a plain word; otherwise empty
};

/// Lets the owner of a running dial() abort it.
struct Dial {
  std::function<void()> abort;
};

class Upstream {
 public:
  /// `settings`: address, key and size of a large message.
  /// `limits`: memory and time for large messages.
  /// `dialect`: the provider's protocol.
  /// Throws std::runtime_error if the settings cannot work.
  explicit Upstream(
      const config::Upstream& settings, net::WebSocketLimits limits = {},
      const protocol::ProviderDialect& dialect = protocol::default_provider_dialect());

  struct Wanted {
    std::string model;           ///< empty: the configured one
    bool transcription = false;  ///< dial a transcription session, which has no model
    std::string owner = {};      ///< owner of its large messages
  };
  net::Awaitable<tl::expected<std::unique_ptr<net::Peer>, DialFailure>> dial(
      const net::Executor& executor, Wanted wanted, Dial& handle) const;

  /// Takes over the settings of a dial: the model, names, time limits and the largest message.
  /// Address, certificate authority and proxy must be the same.
  /// `large_timeout`: time for each MiB of a large message.
  void reload(const config::Upstream& settings, std::chrono::milliseconds large_timeout);

  /// Tries a connection with TLS, for /readyz. Returns an empty string on success, else the reason.
  net::Awaitable<std::string> probe(const net::Executor& executor) const;

  /// Sets the key for new connections; existing ones keep theirs. Logs and errors hide both keys.
  void use_key(Secret key);
  std::shared_ptr<const Secret> key() const { return key_.get(); }
  /// The secrets to remove from the provider's messages. use_key() adds to it.
  std::shared_ptr<const protocol::SecretFilter> secrets() const { return hidden_; }
  const protocol::ProviderDialect& dialect() const { return dialect_; }

 private:
  using Connected = tl::expected<net::Transport, DialFailure>;
  net::Awaitable<Connected> connect(const net::Executor& executor, Dial& handle) const;
  protocol::DialRequest request(const Wanted& wanted) const;
  net::Awaitable<std::optional<std::string>> open_tunnel(net::Socket& socket) const;

  Reloadable<const config::Upstream> settings_;  ///< its key may be an earlier one
  Reloadable<const Secret> key_;
  std::shared_ptr<protocol::SecretFilter> hidden_;
  const net::WebSocketLimits limits_;  ///< besides those that can change
  std::atomic<std::chrono::milliseconds> large_timeout_;
  const protocol::ProviderDialect& dialect_;
  Address address_;
  std::optional<Address> proxy_;
  mutable asio::ssl::context tls_;
};

}  // namespace verbatim::relay
