// The limits of free space on a disk. Pure; any thread.
#pragma once

#include <algorithm>
#include <cstdint>

#include "config/settings.hpp"

namespace verbatim::relay {

/// Caps a configured limit, which may exceed the whole of a small disk: no more than one of `parts`
/// equal parts.
inline std::uintmax_t at_most_share(std::uintmax_t configured, std::uintmax_t capacity,
                                    unsigned parts) {
  return std::min(configured, capacity / parts);
}

struct FreeSpaceLimits {
  std::uintmax_t least;   ///< below it no session is admitted
  std::uintmax_t little;  ///< below it the operator is warned
};

inline FreeSpaceLimits free_space_limits(const config::Storage& settings, std::uintmax_t capacity) {
  return {at_most_share(settings.free_space_min, capacity, 20),
          at_most_share(settings.free_space_warn, capacity, 5)};
}

/// `configured` is recording.free_space_min, in bytes; below the result, recording stops.
inline std::uintmax_t free_space_of_audio(std::uintmax_t configured, std::uintmax_t capacity) {
  return at_most_share(configured, capacity, 10);
}

}  // namespace verbatim::relay
