// URLs and addresses, as people and configuration files write them. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace verbatim {

struct Endpoint {
  std::string host;
  std::uint16_t port = 0;  ///< 0 picks a free port
};

/// The parts of a ws:, wss:, http: or https: URL.
struct Address {
  bool tls = false;
  std::string host;
  std::string port;
  std::string target;  ///< path and query, at least "/"
  std::string user_info;
};
std::optional<Address> parse_address(const std::string& url);
/// The URL for a log: without user, password and query, which may hold secrets.
std::string shown_address(const std::string& url);
/// The same target without the query parameter `name`.
std::string without_parameter(const std::string& target, const std::string& name);

/// Decodes `%XX`, and `+` as a blank if `plus_is_space`. nullopt: an escape is incomplete or not
/// hexadecimal.
std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space);

}  // namespace verbatim
