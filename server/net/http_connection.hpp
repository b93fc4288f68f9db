// Serves one accepted connection: TLS, then requests until one is upgraded or the connection ends.
// It does not know what is served.
//
// Runs on the thread of the socket's executor. It ends by itself and never throws.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

#include <boost/asio/ssl/context.hpp>

#include "base/log.hpp"
#include "server/net/body_memory.hpp"
#include "server/net/connections.hpp"
#include "server/net/http_message.hpp"
#include "server/net/proxies.hpp"
#include "server/net/transport.hpp"

namespace verbatim::net {

/// See http_limits() in listener.hpp for the configured ones.
struct HttpLimits {
  std::size_t header_bytes_max = 0;
  std::size_t body_bytes_max = 0;
  std::chrono::milliseconds handshake_timeout{};
  std::chrono::milliseconds request_timeout{};
  std::chrono::milliseconds keep_alive_timeout{};
  BodyMemory* bodies = nullptr;  ///< null: only the limit for each body applies
  std::shared_ptr<const TrustedProxies> proxies = std::make_shared<const TrustedProxies>();
  /// Answers a single request: a probe as usual, any other with 503 (out of descriptors).
  bool only_probes = false;
};

/// Decision about the body that a request announces.
struct BodyVerdict {
  std::optional<HttpResponse> refused;  ///< the answer to send at once
  /// False: no handler reads a body here. The request is answered from its head, and the connection
  /// is closed.
  bool read = false;
  std::string user;  ///< user of the client token that sends it; empty for a back end
};

/// The service behind a connection. One object for all connections of a thread.
class HttpService {
 public:
  virtual ~HttpService() = default;
  /// Turns other spellings of a path into the one that the service knows. May clear an id that must
  /// not be repeated.
  virtual void canonicalise(HttpRequest&) const {}
  /// Judges a body by the request's head before it is read, so that a peer without permission costs
  /// no memory.
  virtual BodyVerdict judge_body(const HttpRequest&) { return {}; }
  /// Whether `path` is a probe (health, readiness), which is answered even without free
  /// descriptors.
  virtual bool is_probe(const std::string& /*path*/) const { return false; }
  /// Turns a refusal that was made before the request could be read into the error form of its
  /// path.
  virtual HttpResponse in_form_of(const std::string& /*path*/, HttpResponse refusal) {
    return refusal;
  }
  /// Counts an answer. An upgrade that succeeds is not among them.
  virtual void answered(const std::string& /*path*/, int /*status*/) {}
  /// Answers a request. An exception from it is a bug: it becomes a 500 and affects no other
  /// connection.
  virtual Awaitable<HttpResponse> answer(HttpRequest request) = 0;
  /// Turns the connection into a WebSocket, or returns the transport with the answer that refuses
  /// the upgrade.
  struct Refused {
    Transport transport;
    HttpResponse response;
  };
  virtual Awaitable<std::optional<Refused>> upgrade(HttpRequest request, Transport transport) = 0;
};

/// TLS settings of an accepted connection.
struct AcceptTls {
  std::shared_ptr<asio::ssl::context> context;  ///< null: plain HTTP
  std::shared_ptr<Turns> handshakes;  ///< let the handshakes of a thread take turns; null: no limit
};

/// Serves `socket` until it ends.
/// `permit`: the connection's permit.
/// `tls`: what TLS needs, or plain HTTP.
/// `limits`: limits of this connection.
/// `service`, `log`: must outlive the connection.
Awaitable<void> serve_connection(Socket socket, Connections::PermitPtr permit, AcceptTls tls,
                                 HttpLimits limits, HttpService& service, Log& log);

}  // namespace verbatim::net
