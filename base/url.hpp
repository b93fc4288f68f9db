// Addresses as people and configurations write them. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace verbatim {

struct Endpoint {
  std::string host;
  std::uint16_t port = 0;  ///< 0 picks a free one
};

/// A ws:, wss:, http: or https: address, taken apart.
struct Address {
  bool tls = false;
  std::string host;
  std::string port;
  std::string target;  ///< path and query, at least "/"
  std::string user_info;
};
std::optional<Address> parse_address(const std::string& url);
/// The address for a log: without user, password and query, which may hold secrets.
std::string shown_address(const std::string& url);
/// The same target without this parameter.
std::string without_parameter(const std::string& target, const std::string& name);

/// What `%XX` stands for, and `+` for a blank if `plus_is_space`. nullopt: it is cut off or no hex.
std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space);

}  // namespace verbatim
