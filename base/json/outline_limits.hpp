// Limits on a JSON value that is examined as a whole (outline.hpp). Pure values.
#pragma once

#include <cstddef>

namespace verbatim {

struct OutlineLimits {
  std::size_t values_max = 50'000;  ///< members and elements, at all depths together
  std::size_t depth_max = 64;  ///< brackets open at once; above json::max_depth it counts as that
};

}  // namespace verbatim
