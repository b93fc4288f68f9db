#include "server/net/proxies.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <utility>

namespace verbatim::net {
namespace {

/// Removes quotes, brackets and the port, which some proxies add to an element of X-Forwarded-For.
std::string_view bare_address(std::string_view element) {
  if (element.size() >= 2 && element.front() == '"' && element.back() == '"')
    element = element.substr(1, element.size() - 2);
  if (element.starts_with('[')) {
    const auto end = element.find(']');
    return end == element.npos ? std::string_view{} : element.substr(1, end - 1);
  }
  const auto colon = element.find(':');
  const bool port = colon != element.npos && element.find(':', colon + 1) == element.npos;
  return port ? element.substr(0, colon) : element;
}

/// Members of all header lines of this name, in order (RFC 9110, section 5.3).
std::vector<std::string> members(const HeaderList& headers, std::string_view name) {
  std::vector<std::string> all;
  for (const auto& [key, value] : headers) {
    if (!equals_ignore_case(key, name)) continue;
    for (std::string& one : split_list(value)) all.push_back(std::move(one));
  }
  return all;
}

std::string print_address(const config::AddressBytes& bytes) {
  return config::print_network({bytes, 128});
}

constexpr std::array<std::string_view, 14> proxy_headers = {"Forwarded",
                                                            "Via",
                                                            "X-Real-IP",
                                                            "X-Client-IP",
                                                            "X-Cluster-Client-IP",
                                                            "X-Original-Forwarded-For",
                                                            "X-Original-Host",
                                                            "X-ProxyUser-IP",
                                                            "X-Envoy-External-Address",
                                                            "CF-Connecting-IP",
                                                            "True-Client-IP",
                                                            "Fastly-Client-IP",
                                                            "Fly-Client-IP",
                                                            "CDN-Loop"};

}  // namespace

bool TrustedProxies::trusts(std::string_view address) const {
  const auto bytes = config::address_bytes(address);
  return bytes && std::any_of(networks_.begin(), networks_.end(),
                              [&](const config::Network& one) { return one.contains(*bytes); });
}

Caller TrustedProxies::caller_of(const HeaderList& headers, Caller peer) const {
  peer.proxied = peer.proxied || names_proxy(headers);
  if (!trusts(peer.address)) return peer;
  const auto hops = members(headers, "X-Forwarded-For");
  std::size_t place = hops.size();
  // Each hop was written by the hop after it, which is trusted.
  while (place > 0) {
    const auto bytes = config::address_bytes(bare_address(hops[place - 1]));
    if (!bytes) break;  // "unknown" or no proxy's entry: the entries before it prove nothing
    peer.address = print_address(*bytes);
    --place;
    if (!trusts(peer.address)) break;
  }
  const auto schemes = members(headers, "X-Forwarded-Proto");
  if (schemes.empty()) return peer;
  // One scheme for each hop, or one that the last proxy has set.
  const bool for_each = schemes.size() == hops.size() && place < hops.size();
  const std::string& scheme = for_each ? schemes[place] : schemes.back();
  peer.secure = equals_ignore_case(scheme, "https") || equals_ignore_case(scheme, "wss");
  return peer;
}

bool names_proxy(const HeaderList& headers) {
  constexpr std::string_view prefix = "X-Forwarded-";
  return std::any_of(headers.begin(), headers.end(), [&](const auto& header) {
    const std::string_view name = header.first;
    return equals_ignore_case(name.substr(0, prefix.size()), prefix) ||
           equals_ignore_case(name, "X-Forwarded") ||
           std::any_of(proxy_headers.begin(), proxy_headers.end(),
                       [&](std::string_view one) { return equals_ignore_case(name, one); });
  });
}

std::string plain_address(const std::string& address) {
  const auto bytes = config::address_bytes(address);
  return bytes ? print_address(*bytes) : address;
}

std::string address_key(const std::string& address) {
  auto bytes = config::address_bytes(address);
  if (!bytes) return address;
  const std::string whole = print_address(*bytes);
  if (whole.find(':') == whole.npos) return whole;
  std::fill(bytes->begin() + 8, bytes->end(), std::uint8_t{0});
  return print_address(*bytes);
}

bool is_loopback(std::string_view address) {
  static const std::array<config::Network, 2> loopback = {config::parse_network("127.0.0.0/8"),
                                                          config::parse_network("::1")};
  const auto bytes = config::address_bytes(address);
  return bytes && std::any_of(loopback.begin(), loopback.end(),
                              [&](const config::Network& one) { return one.contains(*bytes); });
}

bool is_loopback_name(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  if (colon != host.npos && host.find(']', colon) == host.npos) {
    const std::string_view port = host.substr(colon + 1);
    if (port.find_first_not_of("0123456789") != port.npos) return false;
    host = host.substr(0, colon);
  }
  return equals_ignore_case(host, "localhost") || host == "127.0.0.1" || host == "[::1]";
}

namespace proxy_protocol {
namespace {

enum class Command { local = 0x0, proxy = 0x1 };
constexpr unsigned version_2 = 0x2;
constexpr unsigned tcp_over_ipv4 = 0x11;
constexpr unsigned tcp_over_ipv6 = 0x21;
constexpr std::size_t ipv4_bytes = 12;
constexpr std::size_t ipv6_bytes = 36;
constexpr unsigned type_ssl = 0x20;
constexpr unsigned client_ssl = 0x01;

unsigned byte_at(std::string_view text, std::size_t place) {
  return static_cast<unsigned char>(text[place]);
}

std::size_t number_at(std::string_view text, std::size_t place) {
  return byte_at(text, place) << 8 | byte_at(text, place + 1);
}

std::string address_at(int family, std::string_view body) {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(family, body.data(), text, sizeof text);
  return text;
}

/// Whether a type-length-value after the addresses states that the client used TLS to the proxy.
bool says_tls(std::string_view rest) {
  while (rest.size() >= 3) {
    const std::size_t length = number_at(rest, 1);
    if (length > rest.size() - 3) return false;
    if (byte_at(rest, 0) == type_ssl && length >= 1 && (byte_at(rest, 3) & client_ssl) != 0)
      return true;
    rest.remove_prefix(3 + length);
  }
  return false;
}

}  // namespace

std::optional<std::size_t> body_bytes(std::string_view head) {
  if (head.size() < proxy_protocol::head_bytes || !head.starts_with(proxy_protocol::signature))
    return std::nullopt;
  if (byte_at(head, 12) >> 4 != version_2) return std::nullopt;
  return number_at(head, 14);
}

namespace {

tl::unexpected<Bad> bad(std::string why) { return tl::unexpected(Bad{std::move(why)}); }

}  // namespace

tl::expected<Caller, Bad> read(std::string_view whole, const Caller& peer) {
  const auto size = proxy_protocol::body_bytes(whole);
  if (!size) return bad("does not have version 2");
  if (whole.size() < proxy_protocol::head_bytes + *size)
    return bad("is shorter than its length field says");
  const std::string_view body = whole.substr(proxy_protocol::head_bytes, *size);
  Caller caller = peer;
  caller.proxied = true;
  switch (static_cast<Command>(byte_at(whole, 12) & 0xF)) {
    case Command::local:
      return caller;
    case Command::proxy:
      break;
    default:
      return bad("has an unknown command");
  }
  const unsigned family = byte_at(whole, 13);
  const bool v4 = family == tcp_over_ipv4;
  if (!v4 && family != tcp_over_ipv6) return caller;  // a client without an Internet address
  const std::size_t addresses = v4 ? ipv4_bytes : ipv6_bytes;
  if (body.size() < addresses) return bad("has no room for its addresses");
  caller.address = plain_address(address_at(v4 ? AF_INET : AF_INET6, body));
  caller.secure = peer.secure || says_tls(body.substr(addresses));
  return caller;
}

}  // namespace proxy_protocol

}  // namespace verbatim::net
