#include "server/webhooks/private_address.hpp"

#include <netinet/in.h>

#include <cstdint>
#include <cstring>

namespace verbatim::webhooks {

namespace {

bool is_private_v4(std::uint32_t address) {
  const auto within = [address](std::uint32_t network, int bits) {
    return (address >> (32 - bits)) == (network >> (32 - bits));
  };
  return within(0x00000000, 8) || within(0x0A000000, 8) || within(0x64400000, 10) ||
         within(0x7F000000, 8) || within(0xA9FE0000, 16) || within(0xAC100000, 12) ||
         within(0xC0000000, 24) || within(0xC0000200, 24) || within(0xC0A80000, 16) ||
         within(0xC6120000, 15) || within(0xC6336400, 24) || within(0xCB007100, 24) ||
         within(0xE0000000, 4) || within(0xF0000000, 4);
}

bool is_private_v6(const in6_addr& address) {
  const std::uint8_t* bytes = address.s6_addr;
  const auto v4_at = [bytes](int at) {
    return std::uint32_t{bytes[at]} << 24 | std::uint32_t{bytes[at + 1]} << 16 |
           std::uint32_t{bytes[at + 2]} << 8 | bytes[at + 3];
  };
  static constexpr std::uint8_t zeros[12] = {};
  static constexpr std::uint8_t nat64[12] = {0x00, 0x64, 0xFF, 0x9B};
  if (std::memcmp(bytes, zeros, 10) == 0 && bytes[10] == 0xFF && bytes[11] == 0xFF)
    return is_private_v4(v4_at(12));
  if (std::memcmp(bytes, nat64, 12) == 0) return is_private_v4(v4_at(12));
  if (bytes[0] == 0x20 && bytes[1] == 0x02) return is_private_v4(v4_at(2));
  // Only 2000::/3 is public. In it, 2001::/23 is for protocols (Teredo, tests), and 2001:db8::/32
  // and 3fff::/20 are for documentation.
  if ((bytes[0] & 0xE0) != 0x20) return true;
  const bool protocols = bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] < 2;
  const bool documents =
      (bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] == 0x0D && bytes[3] == 0xB8) ||
      (bytes[0] == 0x3F && bytes[1] == 0xFF && bytes[2] < 0x10);
  return protocols || documents;
}

}  // namespace

bool is_private_address(const sockaddr* address) {
  if (address->sa_family == AF_INET)
    return is_private_v4(ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr));
  if (address->sa_family == AF_INET6)
    return is_private_v6(reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr);
  return true;
}

}  // namespace verbatim::webhooks
