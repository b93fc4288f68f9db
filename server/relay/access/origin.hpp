// Origins of web pages (RFC 6454): whose pages may connect. Asked only where a page can have made
// the request by itself: a browser sends no credential in a header unless a script of ours does.
//
// Pure; any thread. Immutable.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"
#include "server/net/http_message.hpp"

namespace verbatim::server {

/// `scheme://host[:port]` in lower case, without the scheme's usual port. nullopt for anything
/// else: `null`, a path, a user.
std::optional<std::string> normal_origin(std::string_view text);

class OriginRules {
 public:
  OriginRules() = default;
  /// `allowed`: besides the server's own. `public_url`: where clients reach the server; or empty.
  OriginRules(const std::vector<std::string>& allowed, const std::string& public_url);
  explicit OriginRules(const config::Server& server)
      : OriginRules(server.allowed_origins, server.public_url) {}

  /// No page has made it, or a page of the server's own, or one of an origin that is allowed. Its
  /// own is the one that the request names as its Host, or that of `public_url`.
  bool admit(const HttpRequest& request) const;
  /// The request's page is of an origin that the configuration names.
  bool names(const HttpRequest& request) const;

 private:
  std::vector<std::string> allowed_;  ///< normal
  std::optional<std::string> public_;
};

}  // namespace verbatim::server
