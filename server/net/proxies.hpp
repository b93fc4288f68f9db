// Who really connects, where proxies stand between: by what trusted proxies have written
// (X-Forwarded-For, X-Forwarded-Proto) or said before the first byte (PROXY protocol v2). What
// anybody else writes there is a claim that every client can make, and is not believed.
//
// Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "config/network.hpp"
#include "server/net/http_message.hpp"

namespace verbatim::server {

/// One side of a connection, as far as it is known.
struct Caller {
  std::string address;   ///< empty: not known
  bool secure = false;   ///< TLS, as the caller sees it
  bool proxied = false;  ///< somebody said that he stands between
};

class TrustedProxies {
 public:
  TrustedProxies() = default;
  explicit TrustedProxies(std::vector<config::Network> networks) : networks_(std::move(networks)) {}

  bool empty() const { return networks_.empty(); }
  bool trusts(std::string_view address) const;
  /// `peer`: at the other end of the connection. The caller is the last address in X-Forwarded-For
  /// that is no trusted proxy; the scheme is the one that the proxy has seen which named it.
  Caller caller_of(const HeaderList& headers, Caller peer) const;

 private:
  std::vector<config::Network> networks_;
};

/// Whether a header stands there that only proxies write (RFC 9110, 7.6.3; RFC 7239; those of usual
/// proxies and content networks).
bool names_proxy(const HeaderList& headers);

/// IPv4 also where IPv6 maps it, and without a zone. What is no address stays as it is.
std::string plain_address(const std::string& address);
/// What limits count by: a plain address, of IPv6 its /64 network, since a customer of a provider
/// has all 2^64 addresses of it.
std::string customer_of(const std::string& address);
bool is_loopback(std::string_view address);
/// `localhost`, 127.0.0.1 or [::1], with a port or without: how a page of this machine is named.
bool is_loopback_name(std::string_view host);

/// PROXY protocol v2: https://www.haproxy.org/download/2.4/doc/proxy-protocol.txt, section 2.2.
namespace proxy_protocol {

inline constexpr std::string_view signature{"\r\n\r\n\0\r\nQUIT\n", 12};
inline constexpr std::size_t head_bytes = 16;

/// Bytes behind the head; nothing if it is no head of version 2.
std::optional<std::size_t> body_bytes(std::string_view head);

struct Bad {
  std::string why;
};
/// `whole`: head and body. Its caller, or that of the connection itself (`peer`) where the proxy
/// speaks for itself (LOCAL) or does not know.
std::variant<Caller, Bad> read(std::string_view whole, const Caller& peer);

}  // namespace proxy_protocol

}  // namespace verbatim::server
