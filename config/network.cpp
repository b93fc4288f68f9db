#include "config/network.hpp"

#include <arpa/inet.h>

#include <algorithm>

#include "config/values.hpp"

namespace verbatim::config {
namespace {

constexpr AddressBytes mapped_zero = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0};
constexpr int mapped_bits = 96;

bool is_mapped(const AddressBytes& address) {
  return std::equal(mapped_zero.begin(), mapped_zero.begin() + 12, address.begin());
}

/// Clears all bits of the address after the prefix.
AddressBytes masked(AddressBytes address, int prefix) {
  for (int bit = prefix; bit < 128; ++bit) {
    auto& byte = address[static_cast<std::size_t>(bit / 8)];
    byte = static_cast<std::uint8_t>(byte & ~(0x80u >> (bit % 8)));
  }
  return address;
}

}  // namespace

std::optional<AddressBytes> address_bytes(std::string_view text) {
  const std::string plain(text.substr(0, text.find('%')));
  AddressBytes bytes{};
  if (inet_pton(AF_INET6, plain.c_str(), bytes.data()) == 1) return bytes;
  bytes = mapped_zero;
  if (inet_pton(AF_INET, plain.c_str(), bytes.data() + 12) == 1) return bytes;
  return std::nullopt;
}

bool Network::contains(const AddressBytes& other) const { return masked(other, prefix) == address; }

Network parse_network(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = address_bytes(text.substr(0, slash));
  const std::string quoted = "\"" + std::string(text) + "\" ";
  if (!address || text.find('%') != std::string_view::npos) {
    throw BadValue(quoted + "is not an IPv4 or IPv6 address or network");
  }
  Network network{*address, 128};
  if (slash == std::string_view::npos) return network;
  const bool v4 = text.find(':') == std::string_view::npos;
  const auto bits = parse_integer(text.substr(slash + 1));
  if (!bits || *bits < 0 || *bits > (v4 ? 32 : 128)) {
    throw BadValue(quoted + "has a prefix that is not a number from 0 to " + (v4 ? "32" : "128"));
  }
  network.prefix = static_cast<int>(*bits) + (v4 ? mapped_bits : 0);
  network.address = masked(*address, network.prefix);
  if (network.address != *address) {
    throw BadValue(quoted + "has bits beyond its prefix; the network is " + print_network(network));
  }
  return network;
}

std::string print_network(const Network& network) {
  char text[INET6_ADDRSTRLEN] = "";
  const bool v4 = is_mapped(network.address) && network.prefix >= mapped_bits;
  inet_ntop(v4 ? AF_INET : AF_INET6, network.address.data() + (v4 ? 12 : 0), text, sizeof text);
  const int bits = v4 ? network.prefix - mapped_bits : network.prefix;
  return text + (network.prefix == 128 ? "" : "/" + std::to_string(bits));
}

}  // namespace verbatim::config
