// Addresses and networks as a configuration writes them: `192.0.2.7`, `10.0.0.0/8`, `fd00::/8`.
//
// Pure values. An IPv4 address and its IPv6-mapped form are one address.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace verbatim::config {

/// 16 bytes, IPv4 mapped into IPv6.
using AddressBytes = std::array<std::uint8_t, 16>;

/// Nothing if the text is no address. A zone (`fe80::1%eth0`) is left out.
std::optional<AddressBytes> address_bytes(std::string_view text);

struct Network {
  AddressBytes address{};
  int prefix = 128;  ///< bits of the mapped form: 96 more than an IPv4 network is written with

  bool contains(const AddressBytes& other) const;
  bool operator==(const Network&) const = default;
};

/// An address, or an address/prefix without bits beyond its prefix. Throws BadValue.
Network parse_network(std::string_view text);
std::string print_network(const Network& network);

}  // namespace verbatim::config
