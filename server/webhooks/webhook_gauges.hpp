// The figures of one webhook target. Plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string>

namespace verbatim::webhooks {

/// Upper bounds of the buckets of a call's duration, in seconds; one more has no bound.
inline constexpr double call_seconds_bounds[] = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
inline constexpr std::size_t call_seconds_buckets = std::size(call_seconds_bounds) + 1;

/// Of one target. Counts are since the start.
struct WebhookGauges {
  std::string target;
  std::uint64_t delivered = 0;
  std::uint64_t failed = 0;                                 ///< tries
  std::uint64_t dead = 0;                                   ///< messages given up
  std::uint64_t waiting = 0;                                ///< now, not delivered yet
  std::uint64_t dead_letters = 0;                           ///< now, not sent again
  double oldest_seconds = 0;                                ///< age of the oldest that waits
  std::array<std::uint64_t, call_seconds_buckets> calls{};  ///< by duration
  double call_seconds = 0;                                  ///< of all calls together
};

}  // namespace verbatim::webhooks
