// IP addresses and networks in the configuration: `192.0.2.7`, `10.0.0.0/8`, `fd00::/8`.
//
// Pure values. An IPv4 address equals its IPv6-mapped form.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace verbatim::config {

/// 16 bytes; an IPv4 address is mapped into IPv6.
using AddressBytes = std::array<std::uint8_t, 16>;

/// Nothing if the text is not an address. Drops a zone (`fe80::1%eth0`).
std::optional<AddressBytes> address_bytes(std::string_view text);

struct Network {
  AddressBytes address{};
  int prefix = 128;  ///< in bits of the mapped form: an IPv4 prefix plus 96

  bool contains(const AddressBytes& other) const;
  bool operator==(const Network&) const = default;
};

/// An address, or address/prefix without bits beyond the prefix. Throws BadValue.
Network parse_network(std::string_view text);
std::string print_network(const Network& network);

}  // namespace verbatim::config
