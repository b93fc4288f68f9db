#include "config/values.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <utility>

#include "base/ascii.hpp"

namespace verbatim::config {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

// Smallest first: printing uses the last unit that divides the value.
constexpr std::array<Unit, 5> duration_units{
    {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
constexpr std::array<Unit, 4> size_units{
    {{"", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}}};

template <std::size_t N>
std::optional<std::int64_t> parse_with_unit(std::string_view text,
                                            const std::array<Unit, N>& units) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || number < 0) return std::nullopt;
  const std::string_view suffix(rest, static_cast<std::size_t>(end - rest));
  for (const Unit& unit : units) {
    if (unit.name != suffix) continue;
    if (number > std::numeric_limits<std::int64_t>::max() / unit.factor) return std::nullopt;
    return number * unit.factor;
  }
  return std::nullopt;
}

template <std::size_t N>
std::string print_with_unit(std::int64_t value, const std::array<Unit, N>& units,
                            const Unit& zero) {
  if (value == 0) return "0" + std::string(zero.name);
  const Unit* best = &units.front();
  for (const Unit& unit : units) {
    if (value % unit.factor == 0) best = &unit;
  }
  return std::to_string(value / best->factor) + std::string(best->name);
}

bool is_host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_';
}

bool is_address_character(char c) {
  return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' ||
         c == '.';
}

/// Splits `host`, `host:port`, `[v6]` or `[v6]:port` into the host without brackets and the port.
std::pair<std::string, std::optional<std::string>> split_authority(std::string_view text) {
  std::string_view host;
  std::string_view rest;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) throw BadValue("has no ] after the address");
    host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
    if (host.find(':') == std::string_view::npos ||
        !std::all_of(host.begin(), host.end(), is_address_character)) {
      throw BadValue("has no IPv6 address between [ and ]");
    }
  } else {
    const auto colon = text.find(':');
    host = text.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view{} : text.substr(colon);
    if (host.empty()) throw BadValue("has no host");
    if (!std::all_of(host.begin(), host.end(), is_host_character)) {
      throw BadValue("has a character in the host that is not valid in a host name");
    }
    if (rest.find(':', 1) != std::string_view::npos) {
      throw BadValue("has more than one colon; write an IPv6 address in brackets");
    }
  }
  if (rest.empty()) return {std::string(host), std::nullopt};
  if (!rest.starts_with(':')) throw BadValue("has something other than :port after the address");
  return {std::string(host), std::string(rest.substr(1))};
}

std::uint16_t parse_port(std::string_view text) {
  const auto port = parse_integer(text);
  if (!port || *port < 0 || *port > 65535) {
    throw BadValue("has a port that is not a number from 0 to 65535");
  }
  return static_cast<std::uint16_t>(*port);
}

/// The length of the UTF-8 character at the front; 0 if it is not valid UTF-8.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  std::size_t length = 0;
  std::uint32_t code = 0;
  if (first >= 0xC2 && first <= 0xDF) {
    length = 2;
    code = first & 0x1Fu;
  } else if (first >= 0xE0 && first <= 0xEF) {
    length = 3;
    code = first & 0x0Fu;
  } else if (first >= 0xF0 && first <= 0xF4) {
    length = 4;
    code = first & 0x07u;
  }
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0u) != 0x80u) return 0;
    code = (code << 6) | (byte(i) & 0x3Fu);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  return overlong || surrogate || code > 0x10FFFF ? 0 : length;
}

}  // namespace

std::optional<milliseconds> parse_duration(std::string_view text) {
  const auto value = parse_with_unit(text, duration_units);
  return value ? std::optional(milliseconds(*value)) : std::nullopt;
}

std::string print_duration(milliseconds value) {
  return print_with_unit(value.count(), duration_units, duration_units[1]);
}

std::optional<std::size_t> parse_size(std::string_view text) {
  const auto value = parse_with_unit(text, size_units);
  return value ? std::optional(static_cast<std::size_t>(*value)) : std::nullopt;
}

std::string print_size(std::size_t value) {
  return print_with_unit(static_cast<std::int64_t>(value), size_units, size_units[0]);
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  return error == std::errc{} && rest == end ? std::optional(number) : std::nullopt;
}

Endpoint parse_endpoint(std::string_view text) {
  auto [host, port] = split_authority(text);
  if (!port) throw BadValue("has no port");
  return {std::move(host), parse_port(*port)};
}

std::string print_endpoint(const Endpoint& endpoint) {
  if (endpoint.host.empty()) return {};
  const bool v6 = endpoint.host.find(':') != std::string::npos;
  return (v6 ? "[" + endpoint.host + "]" : endpoint.host) + ":" + std::to_string(endpoint.port);
}

Url parse_url(std::string_view text) {
  const auto colon = text.find("://");
  if (colon == std::string_view::npos || colon == 0) throw BadValue("has no scheme://");
  Url url;
  url.scheme = lower_case(text.substr(0, colon));
  text.remove_prefix(colon + 3);
  const auto end = std::min(text.find_first_of("/?#"), text.size());
  std::string_view authority = text.substr(0, end);
  url.rest = std::string(text.substr(end));
  if (url.rest.find(' ') != std::string::npos) throw BadValue("contains a space");
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    url.userinfo = std::string(authority.substr(0, at));
    authority.remove_prefix(at + 1);
  }
  auto [host, port] = split_authority(authority);
  if (port) parse_port(*port);
  url.host = std::move(host);
  url.port = port.value_or("");
  return url;
}

std::string mask_url(const std::string& text) {
  const auto scheme = text.find("://");
  if (scheme == std::string::npos) return text;
  const auto begin = scheme + 3;
  const auto end = std::min(text.find_first_of("/?#", begin), text.size());
  const auto at = text.rfind('@', end);
  if (at == std::string::npos || at < begin) return text;
  const auto colon = text.find(':', begin);
  if (colon == std::string::npos || colon > at) return text;
  return text.substr(0, colon + 1) + "***" + text.substr(at);
}

void require_plain_text(std::string_view text) {
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text.front());
    if (c < 0x20 || c == 0x7F) throw BadValue("contains a control character");
    const std::size_t length = utf8_length(text);
    if (length == 0) throw BadValue("is not UTF-8");
    text.remove_prefix(length);
  }
}

std::optional<std::string> parse_sha256(std::string_view text) {
  if (text.size() != 64) return std::nullopt;
  std::string digits(text);
  for (char& c : digits) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c + 32);
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return std::nullopt;
  }
  return digits;
}

}  // namespace verbatim::config
