// Parses and prints the values of settings: durations, sizes, endpoints and addresses.
//
// Pure functions. A rejected value throws BadValue with the reason. The caller adds where the value
// stood and what is accepted.
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

/// `250ms`, `30s`, `10m`, `1h`, `7d`. Nothing if the text is not a duration, or it is too large.
std::optional<milliseconds> parse_duration(std::string_view);
/// Prints in the largest unit that leaves no fraction.
std::string print_duration(milliseconds);

/// `512`, `256KiB`, `1MiB`, `2GiB`. Nothing if the text is not a size, or it is too large.
std::optional<std::size_t> parse_size(std::string_view);
std::string print_size(std::size_t);

/// A whole number without anything before or after it.
std::optional<std::int64_t> parse_integer(std::string_view);

/// `host:port`. An IPv6 address needs brackets; the result has none.
Endpoint parse_endpoint(std::string_view);
std::string print_endpoint(const Endpoint&);

/// Like verbatim::parse_url(), for a host that can be connected to. Throws BadValue.
Url required_url(std::string_view);
/// Whether a host can only be this machine.
bool is_of_this_machine(std::string_view host);

/// Throws for control characters and text that is not UTF-8: values reach headers and logs.
void require_plain_text(std::string_view);

/// 64 hexadecimal digits, returned in lower case. Nothing for any other text.
std::optional<std::string> parse_sha256(std::string_view);

}  // namespace verbatim::config
