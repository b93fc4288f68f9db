// URLs and addresses, as people and configuration files write them. RFC 3986 decides what a URL is.
// Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace verbatim {

struct Endpoint {
  std::string host;
  std::uint16_t port = 0;  ///< 0 picks a free port
};

/// The parts of a URL, as written unless stated.
struct Url {
  std::string scheme;                    ///< lower case
  std::optional<std::string> user_info;  ///< "user:password", decoded
  std::string host;                      ///< an IPv6 address has no brackets; may be empty
  std::string port;                      ///< a number up to 65535; empty: the scheme's own
  std::string path;
  std::string query;     ///< with its '?'; empty: none
  std::string fragment;  ///< with its '#'; empty: none
};
/// The error says what is wrong, as the rest of a sentence: "has no host".
template <class T>
using UrlResult = tl::expected<T, std::string_view>;

/// A URL with an authority: `scheme://[user@]host[:port][path][?query][#fragment]`.
UrlResult<Url> parse_url(std::string_view text);
/// `host`, `host:port`, `[v6]` or `[v6]:port`. The other parts are empty.
UrlResult<Url> parse_authority(std::string_view text);
/// Whether a host can be looked up or connected to: an address, or a name of letters, digits, '-',
/// '.' and '_'. RFC 3986 allows more characters, for schemes that do not use the DNS.
bool is_host(std::string_view host);
/// `host:port` with brackets around an IPv6 address; without the colon if there is no port.
std::string authority(std::string_view host, std::string_view port);

/// The parts of a ws:, wss:, http: or https: URL.
struct Address {
  bool tls = false;
  std::string host;
  std::string port;
  std::string target;  ///< path and query, at least "/"
  std::string user_info;
};
std::optional<Address> parse_address(std::string_view url);
/// The URL for a log: without user, password and query, which may hold secrets.
std::string shown_address(const std::string& url);
/// The URL with `***` for its password; empty if it is not a URL.
std::string without_password(std::string_view url);
/// The same target without the query parameter `name`.
std::string without_parameter(const std::string& target, const std::string& name);

/// Writes every character but letters, digits and `-._~` as `%XX`: for a part of a path or a query.
std::string percent_encoded(std::string_view text);
/// Decodes `%XX`, and `+` as a blank if `plus_is_space`. nullopt: an escape is incomplete or not
/// hexadecimal.
std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space);

}  // namespace verbatim
