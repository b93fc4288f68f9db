// One accepted connection from top to bottom: TLS, then requests until one upgrades or the peer is
// done. Knows nothing of what is served.
//
// Lives on the thread whose executor its socket has; ends by itself; never throws.
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

namespace verbatim::server {

struct HttpLimits {
  std::size_t header_bytes_max = 16 * 1024;
  std::size_t body_bytes_max = 4 * 1024 * 1024;
  std::chrono::milliseconds handshake_timeout{5'000};
  std::chrono::milliseconds request_timeout{30'000};
  std::chrono::milliseconds keep_alive_timeout{75'000};
  BodyMemory* bodies = nullptr;  ///< null: each body has its own limit only
  std::shared_ptr<const TrustedProxies> proxies = std::make_shared<const TrustedProxies>();
  /// One request is answered: a probe as always, any other with 503 (out of descriptors).
  bool only_probes = false;
};

/// What becomes of a body that a request announces.
struct BodyVerdict {
  std::optional<HttpResponse> refused;  ///< the answer, at once
  /// False: nothing reads a body there. The request is answered by its head, and the connection
  /// closed.
  bool read = false;
  std::string user;  ///< of the client token that sends it; empty: a back end
};

/// What is served. One object for all connections of a thread.
class HttpService {
 public:
  virtual ~HttpService() = default;
  /// Other spellings of a path become the one that the rest of this class knows.
  virtual void canonicalise(HttpRequest&) const {}
  /// Judged by its head, before its body is read: a peer that may not call costs no memory.
  virtual BodyVerdict judge_body(const HttpRequest&) { return {}; }
  /// What an operator's machines ask, at any time.
  virtual bool is_probe(const std::string& /*path*/) const { return false; }
  /// An answer that was made before the request could be read, in the form that its path's callers
  /// know.
  virtual HttpResponse in_form_of(const std::string& /*path*/, HttpResponse refusal) {
    return refusal;
  }
  /// What escapes from it is a bug: it ends as a 500, and no other connection notices.
  virtual Awaitable<HttpResponse> answer(HttpRequest request) = 0;
  /// Takes the connection over for a WebSocket, or gives the transport back with the answer that
  /// refuses the upgrade.
  struct Refused {
    Transport transport;
    HttpResponse response;
  };
  virtual Awaitable<std::optional<Refused>> upgrade(HttpRequest request, Transport transport) = 0;
};

/// What an accepted connection needs for TLS.
struct AcceptTls {
  std::shared_ptr<asio::ssl::context> context;  ///< null: plain HTTP
  std::shared_ptr<Turns> handshakes;            ///< of its thread; null: all at once
};

Awaitable<void> serve_connection(Socket socket, Connections::PermitPtr place, AcceptTls tls,
                                 HttpLimits limits, HttpService& service, Log& log);

}  // namespace verbatim::server
