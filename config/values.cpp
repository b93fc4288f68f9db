#include "config/values.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <utility>

#include "base/ascii.hpp"
#include "base/url.hpp"
#include "base/utf8.hpp"

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

/// Throws unless the parts were read and their host can be connected to.
Url with_host(UrlResult<Url> parts) {
  if (!parts) throw BadValue(std::string(parts.error()));
  if (parts->host.empty()) throw BadValue("has no host");
  if (!is_host(parts->host))
    throw BadValue("has a character in the host that is not valid in a host name");
  return *std::move(parts);
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
  const Url parts = with_host(parse_authority(text));
  if (parts.user_info) throw BadValue("contains a user or password");
  const auto port = parse_integer(parts.port);
  if (!port) throw BadValue("has no port");
  return {parts.host, static_cast<std::uint16_t>(*port)};
}

std::string print_endpoint(const Endpoint& endpoint) {
  return endpoint.host.empty() ? "" : authority(endpoint.host, std::to_string(endpoint.port));
}

bool is_of_this_machine(std::string_view written) {
  const std::string host = lower_case(written);
  return host == "localhost" || host.ends_with(".localhost") || host == "::1" ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos);
}

Url required_url(std::string_view text) { return with_host(parse_url(text)); }

void require_plain_text(std::string_view text) {
  if (!utf8::is_valid(text)) throw BadValue("is not UTF-8");
  const bool controls = std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
  });
  if (controls) throw BadValue("contains a control character");
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
