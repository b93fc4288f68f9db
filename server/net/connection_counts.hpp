// Counters of connections, and of those that end before their first request. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace verbatim::net {

/// Why a connection was refused before anything was read from it.
enum class ConnectionRefusal : std::uint8_t {
  connections_max = 0,
  descriptors = 1,
  connections_per_address = 2
};
inline constexpr std::size_t connection_refusals = 3;

struct ConnectionCounts {
  // Current numbers. An open connection may also be one of the other two.
  std::atomic<std::int64_t> open{0};
  std::atomic<std::int64_t> idle{0};        ///< waits for a request
  std::atomic<std::int64_t> websockets{0};  ///< asks for an upgrade, or has got it
  /// Unix seconds until which the server's certificate is valid; 0: no TLS.
  std::atomic<std::int64_t> certificate_expires_s{0};

  // Since the start.
  std::array<std::atomic<std::uint64_t>, connection_refusals> refused{};  ///< by ConnectionRefusal
  std::atomic<std::uint64_t> closed_idle{0};  ///< closed to make room for another connection
  std::atomic<std::uint64_t> handshakes_failed{0};

  void refuse(ConnectionRefusal why) {
    refused[static_cast<std::size_t>(why)].fetch_add(1, std::memory_order_relaxed);
  }
};

}  // namespace verbatim::net
