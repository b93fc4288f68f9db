// Whether an address is public. Pure; any thread.
#pragma once

#include <sys/socket.h>

namespace verbatim::webhooks {

/// Whether the address is not public: this machine, private and link-local networks, carrier-grade
/// NAT, multicast, and such IPv4 addresses embedded in IPv6.
bool is_private_address(const sockaddr* address);

}  // namespace verbatim::webhooks
