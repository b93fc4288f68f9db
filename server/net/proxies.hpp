// Finds the real client behind proxies: from the headers of trusted proxies (X-Forwarded-For,
// X-Forwarded-Proto) or from their PROXY protocol v2 header. Headers from other peers are ignored,
// since every client can write them.
//
// Pure; any thread. A malformed header is an error value.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "config/network.hpp"
#include "server/net/http_message.hpp"

namespace verbatim::net {

/// The client of a connection, as far as it is known.
struct Caller {
  std::string address;   ///< empty: unknown
  bool secure = false;   ///< the client uses TLS
  bool proxied = false;  ///< the request or connection has passed a proxy
};

class TrustedProxies {
 public:
  TrustedProxies() = default;
  explicit TrustedProxies(std::vector<config::Network> networks) : networks_(std::move(networks)) {}

  bool empty() const { return networks_.empty(); }
  bool trusts(std::string_view address) const;
  /// The client that `headers` name. `peer` is the other end of the connection. The client is the
  /// last address in X-Forwarded-For that is not a trusted proxy. The scheme is the one seen by the
  /// proxy that named this address.
  Caller caller_of(const HeaderList& headers, Caller peer) const;

 private:
  std::vector<config::Network> networks_;
};

/// Whether there is a header that only proxies write (RFC 9110, section 7.6.3; RFC 7239; common
/// proxies and content delivery networks).
bool names_proxy(const HeaderList& headers);

/// The address without a zone; an IPv4-mapped IPv6 address as IPv4. Text that is not an address is
/// returned unchanged.
std::string plain_address(const std::string& address);
/// The key that limits are counted by: the plain address, or for IPv6 its /64 network, because one
/// customer usually has all 2^64 addresses of it.
std::string address_key(const std::string& address);
bool is_loopback(std::string_view address);
/// Whether `host` names this machine: `localhost`, 127.0.0.1 or [::1], with or without a port.
bool is_loopback_name(std::string_view host);

/// PROXY protocol v2: https://www.haproxy.org/download/2.4/doc/proxy-protocol.txt, section 2.2.
namespace proxy_protocol {

inline constexpr std::string_view signature{"\r\n\r\n\0\r\nQUIT\n", 12};
inline constexpr std::size_t head_bytes = 16;

/// Length of the body behind `head` in bytes; empty if `head` is not a head of version 2.
std::optional<std::size_t> body_bytes(std::string_view head);

struct Bad {
  std::string why;
};
/// Reads a whole header (head and body). Returns its client, or `peer` if the proxy speaks for
/// itself (LOCAL) or does not know the address.
tl::expected<Caller, Bad> read(std::string_view whole, const Caller& peer);

}  // namespace proxy_protocol

}  // namespace verbatim::net
