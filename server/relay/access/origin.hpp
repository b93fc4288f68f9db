// Decides by its origin (RFC 6454) whether a web page may connect. A request with a credential in a
// header needs no check: a browser adds such a header only for a script that has the credential.
//
// Pure; any thread. Immutable.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"
#include "server/net/http_message.hpp"

namespace verbatim::access {

/// Returns `scheme://host[:port]` in lower case, without the scheme's default port. nullopt for
/// anything else: `null`, a path, a user.
std::optional<std::string> normal_origin(std::string_view text);

class OriginRules {
 public:
  OriginRules() = default;
  /// `allowed`: origins besides the server's own.
  /// `public_url`: the URL by which clients reach the server; may be empty.
  OriginRules(const std::vector<std::string>& allowed, const std::string& public_url);
  explicit OriginRules(const config::Server& server)
      : OriginRules(server.allowed_origins, server.public_url) {}

  /// Whether the request may connect: it has no origin, the server's own, or an allowed one. The
  /// server's own origin is that of the Host header or of `public_url`.
  bool admit(const net::HttpRequest& request) const;
  /// Whether the configuration names the request's origin.
  bool names(const net::HttpRequest& request) const;

 private:
  std::vector<std::string> allowed_;  ///< in normal form
  std::optional<std::string> public_;
};

}  // namespace verbatim::access
