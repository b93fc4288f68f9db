// The written forms of settings: durations, sizes, endpoints, addresses, and their printing.
//
// Pure functions. A value that is refused throws BadValue, whose text says what is wrong with it;
// the caller adds where it stood and what is accepted.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "config/settings.hpp"

namespace verbatim::config {

class BadValue : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// `250ms`, `30s`, `10m`, `1h`, `7d`; nothing if it is not one, or does not fit.
std::optional<milliseconds> parse_duration(std::string_view);
/// In the largest unit that leaves no fraction.
std::string print_duration(milliseconds);

/// `512`, `256KiB`, `1MiB`, `2GiB`; nothing if it is not one, or does not fit.
std::optional<std::size_t> parse_size(std::string_view);
std::string print_size(std::size_t);

/// A whole number and nothing else.
std::optional<std::int64_t> parse_integer(std::string_view);

/// `host:port`; an IPv6 address stands in brackets, which the result does not have.
Endpoint parse_endpoint(std::string_view);
std::string print_endpoint(const Endpoint&);

/// A URL taken apart as far as it must be checked.
struct Url {
  std::string scheme;    ///< lower case
  std::string userinfo;  ///< before the @, empty if none
  std::string host;
  std::string port;  ///< empty if none
  std::string rest;  ///< path, query and fragment
};
Url parse_url(std::string_view);

/// The URL without its password.
std::string mask_url(const std::string&);

/// Refuses control characters and text that is not UTF-8: such values end in headers and logs.
void require_plain_text(std::string_view);

/// 64 hexadecimal digits, in lower case; nothing if it is anything else.
std::optional<std::string> parse_sha256(std::string_view);

}  // namespace verbatim::config
